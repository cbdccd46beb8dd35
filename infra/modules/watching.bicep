metadata description = 'Who is told when something is wrong, and the page on which people look how the app does.'

import { watchingSettings } from '../types.bicep'

@description('Name of the environment.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Region.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags.')
param tags object

@description('Name of the action group.')
@minLength(1)
@maxLength(260)
param actionGroupName string

@description('What is kept of logs, and who is told.')
param settings watchingSettings

@description('Resource id of the Application Insights component.')
@minLength(1)
@maxLength(300)
param componentId string

@description('Resource id of the landing account\'s system topic.')
@minLength(1)
@maxLength(300)
param topicId string

@description('Region of that topic.')
@minLength(3)
@maxLength(40)
param topicLocation string

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    actionGroupName: actionGroupName
    emails: settings.alertEmails
    runbookUrl: settings.runbookUrl
    componentId: componentId
    topicId: topicId
    topicLocation: topicLocation
    embedLatencyMilliseconds: settings.embedLatencyMilliseconds
  }
}

module workbook 'workbook.bicep' = {
  name: 'workbook'
  params: { environmentName: environmentName, location: location, tags: tags, componentId: componentId }
}
