metadata description = 'Who may do what in this environment: the app, Event Grid, the operators and whoever deploys.'

import { peopleSettings } from '../types.bicep'

@description('The app\'s storage account.')
@minLength(3)
@maxLength(24)
param storageName string

@description('The key vault.')
@minLength(3)
@maxLength(24)
param vaultName string

@description('The Application Insights component.')
@minLength(1)
@maxLength(255)
param componentName string

@description('Resource id of a custom Event Grid topic for the app\'s events; empty: none.')
@maxLength(300)
param eventsTopicId string

@description('Object id of the app\'s identity.')
@minLength(36)
@maxLength(36)
param appPrincipalId string

@description('Object id of the landing topic\'s identity.')
@minLength(36)
@maxLength(36)
param landingTopicPrincipalId string

@description('Who handles data beside the app.')
param people peopleSettings

var topicParts = split(eventsTopicId, '/')

module app 'roles-app.bicep' = {
  name: 'roles-app'
  params: {
    storageName: storageName
    vaultName: vaultName
    componentName: componentName
    appPrincipalId: appPrincipalId
  }
}

module delivery 'roles-delivery.bicep' = {
  name: 'roles-delivery'
  params: { storageName: storageName, topicPrincipalId: landingTopicPrincipalId }
}

module operatorsAndDeployer 'roles-people.bicep' = {
  name: 'roles-people'
  params: { storageName: storageName, vaultName: vaultName, people: people }
}

module eventsTopic 'roles-events-topic.bicep' = if (!empty(eventsTopicId)) {
  name: 'roles-events-topic-${uniqueString(resourceGroup().id)}'
  scope: resourceGroup(
    empty(eventsTopicId) ? subscription().subscriptionId : topicParts[2],
    empty(eventsTopicId) ? resourceGroup().name : topicParts[4]
  )
  params: {
    name: empty(eventsTopicId) ? 'none' : topicParts[8]
    appPrincipalId: appPrincipalId
  }
}

@description('Where events are sent; empty: to the queue operations-events.')
output eventsTopicUrl string = empty(eventsTopicId) ? '' : eventsTopic!.outputs.endpoint
