metadata description = 'Power BI automation: everything that one environment of the app needs, from one command.'

targetScope = 'subscription'

import { configContainer } from 'contents.bicep'
import * as shapes from 'types.bicep'

@description('Name of the environment, such as dev or prod: part of every name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Azure region.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags on every resource beside the name of the environment, such as owner or cost centre.')
param tags object

@description('Power BI, and as whom it is called.')
param powerbi shapes.powerbiSettings

@description('This API as callers know it.')
param api shapes.apiSettings

@description('Where files land.')
param landing shapes.landingSettings

@description('Resource id of a custom Event Grid topic (CloudEvents schema) for the app\'s events; empty: they go to the queue operations-events.')
@maxLength(300)
param eventsTopicId string = ''

@description('How large it is, and how much of it may fail.')
param size shapes.sizeSettings

@description('From where it can be reached, and how it reaches out.')
param networking shapes.networkSettings

@description('Who handles data beside the app.')
param people shapes.peopleSettings

@description('What is kept of logs, and who is told.')
param watching shapes.watchingSettings

// ---- names: an abbreviation, the environment and a token, within each service's limits

var token = toLower(uniqueString(subscription().id, environmentName, location))
var short = take(replace(toLower(environmentName), '-', ''), 7)
var names = {
  group: 'rg-powerbi-${environmentName}'
  identity: 'id-powerbi-${environmentName}-${token}'
  workspace: 'log-powerbi-${environmentName}-${token}'
  component: 'appi-powerbi-${environmentName}-${token}'
  storage: 'stpb${short}${token}'
  landing: 'stld${short}${token}'
  vault: 'kv-${short}-${token}'
  plan: 'plan-powerbi-${environmentName}-${token}'
  app: 'func-powerbi-${environmentName}-${token}'
  topic: 'evgst-powerbi-${environmentName}-${token}'
  network: 'vnet-powerbi-${environmentName}-${token}'
  actions: 'ag-powerbi-${environmentName}-${token}'
}
var allTags = union(tags, { 'azd-env-name': environmentName })

// An existing landing account may be in another group or subscription, and so is its topic.
var landingIsNew = empty(landing.accountId)
var landingParts = split(landing.accountId, '/')
var landingSubscription = landingIsNew ? subscription().subscriptionId : landingParts[2]
var landingGroup = landingIsNew ? names.group : landingParts[4]
var landingAccount = landingIsNew ? names.landing : landingParts[8]
var landingTopic = empty(landing.topicName) ? names.topic : landing.topicName
var landingLocation = landing.?location ?? location
var landingIsLake = landingIsNew && landing.hierarchicalNamespace

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: names.group
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: { name: names.identity, location: location, tags: allTags }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: names.workspace
    componentName: names.component
    location: location
    tags: allTags
    retentionDays: watching.logRetentionDays
    dailyQuotaGb: watching.logDailyQuotaGb
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: names.storage
    location: location
    tags: allTags
    skuName: size.storageSku
    publicAccess: !networking.private
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: names.vault
    location: location
    tags: allTags
    publicAccess: !networking.private
    workspaceId: monitoring.outputs.workspaceId
  }
}

module landingZone 'modules/landing.bicep' = {
  name: 'landing-${environmentName}'
  params: {
    isNew: landingIsNew
    subscriptionId: landingSubscription
    groupName: landingGroup
    accountName: landingAccount
    topicName: landingTopic
    topicIsNew: empty(landing.topicName)
    location: landingLocation
    tags: allTags
    container: landing.container
    hierarchicalNamespace: landing.hierarchicalNamespace
    skuName: size.storageSku
    publicAccess: !networking.private
    readerPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module rights 'modules/rights.bicep' = {
  name: 'rights'
  scope: group
  params: {
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    componentName: monitoring.outputs.componentName
    eventsTopicId: eventsTopicId
    appPrincipalId: identity.outputs.principalId
    landingTopicPrincipalId: landingZone.outputs.topicPrincipalId
    people: people
  }
}

module network 'modules/network.bicep' = if (networking.private) {
  name: 'network'
  scope: group
  params: {
    name: names.network
    location: location
    tags: allTags
    settings: networking
    workspaceId: monitoring.outputs.workspaceId
    targets: concat(
      [
        { name: names.storage, service: 'blob', id: storage.outputs.id }
        { name: names.storage, service: 'queue', id: storage.outputs.id }
        { name: names.storage, service: 'table', id: storage.outputs.id }
        { name: names.vault, service: 'vault', id: vault.outputs.id }
        { name: landingAccount, service: 'blob', id: landingZone.outputs.accountId }
      ],
      landingIsLake ? [{ name: landingAccount, service: 'dfs', id: landingZone.outputs.accountId }] : []
    )
  }
}

module app 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: names.app
    planName: names.plan
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    size: size
    powerbi: powerbi
    api: api
    packageUrl: storage.outputs.packageUrl
    endpoints: storage.outputs.endpoints
    landingBlobUrl: 'https://${landingAccount}.blob.${environment().suffixes.storage}'
    vaultUrl: vault.outputs.url
    eventsTopicUrl: rights.outputs.eventsTopicUrl // which also keeps it from starting without its rights
    componentName: monitoring.outputs.componentName
    workspaceId: monitoring.outputs.workspaceId
    subnetId: networking.private ? network!.outputs.appSubnetId : '' // and without a way to its data
    publicAccess: !networking.private
  }
}

module appEndpoint 'modules/endpoints.bicep' = if (networking.private) {
  name: 'app-endpoint'
  scope: group
  params: {
    location: location
    tags: allTags
    subnetId: network!.outputs.endpointSubnetId
    zoneIds: network!.outputs.zoneIds
    targets: [{ name: names.app, service: 'sites', id: app.outputs.id }]
  }
}

// The last but watching: Event Grid checks at once that it may deliver, and its roles need minutes to be known.
module landingEvents 'modules/landing-events.bicep' = {
  name: 'landing-events-${environmentName}'
  scope: resourceGroup(landingSubscription, landingGroup)
  params: {
    topicName: landingTopic
    container: landing.container
    storageId: storage.outputs.id
  }
  dependsOn: [app]
}

module alertsAndWorkbook 'modules/watching.bicep' = {
  name: 'watching'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    actionGroupName: names.actions
    settings: watching
    componentId: monitoring.outputs.componentId
    topicId: landingZone.outputs.topicId
    topicLocation: landingLocation
  }
}

// ---- what a caller, azd or the deployment workflow needs

@description('Resource group of everything (but an existing landing account\'s event topic).')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output FUNCTION_APP_NAME string = app.outputs.name

@description('Where packages are published.')
output PUBLISH_URL string = app.outputs.publishUrl

@description('Where the API is.')
output API_URL string = 'https://${app.outputs.hostName}/api'

@description('What callers ask tokens for.')
output API_SCOPE string = '${api.audience}/.default'

@description('The app\'s storage account.')
output STORAGE_ACCOUNT_NAME string = storage.outputs.name

@description('The container for the operator\'s documents.')
output CONFIG_CONTAINER string = configContainer

@description('The account in which files land.')
output LANDING_ACCOUNT_NAME string = landingAccount

@description('The key vault.')
output KEY_VAULT_NAME string = vault.outputs.name

@description('Client id of the app\'s managed identity.')
output IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Object id of the app\'s managed identity: the subject of federated credentials.')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
