metadata description = 'Power BI automation: everything that one environment of the app needs, from one command.'

targetScope = 'subscription'

// ---- what and where

@description('Name of the environment, such as dev or prod: part of every name.')
@minLength(2)
@maxLength(12)
param environmentName string

@description('Azure region.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags on every resource beside the name of the environment, such as owner or cost centre.')
param tags object = {}

// ---- Power BI and Entra ID: ids only, never a secret

@description('The cloud in which Power BI is.')
@allowed(['public', 'usgov', 'usgovhigh', 'usgovmil', 'china'])
param powerbiCloud string = 'public'

@description('Tenant of Power BI.')
@minLength(36)
@maxLength(36)
param powerbiTenantId string

@description('Application (client) id of the registration that issues embed tokens.')
@minLength(36)
@maxLength(36)
param embedClientId string

@description('How that registration proves itself: secret:NAME, the name of a secret in the key vault.')
@minLength(8)
@maxLength(140)
param embedCredential string = 'secret:powerbi-embed'

@description('Application (client) id of the registration that changes workspaces and refreshes datasets.')
@minLength(36)
@maxLength(36)
param operationsClientId string

@description('How that registration proves itself: secret:NAME, the name of a secret in the key vault.')
@minLength(8)
@maxLength(140)
param operationsCredential string = 'secret:powerbi-operations'

@description('Application (client) id of this API\'s own registration: what callers ask tokens for.')
@minLength(36)
@maxLength(36)
param apiClientId string

@description('Application ID URI of this API\'s registration, the audience of version 1 tokens.')
@minLength(6)
@maxLength(255)
param apiAudience string

@description('Tenants whose callers are let in.')
@minLength(1)
@maxLength(20)
param apiTenantIds string[]

// ---- where files land, and who is told

@description('Resource id of the storage account in which files land. Leave out: a new one is made.')
@maxLength(300)
param landingStorageAccountId string = ''

@description('Region of that account, where it is another one: its events are taken there.')
@minLength(3)
@maxLength(40)
param landingLocation string = location

@description('The container in which files land.')
@minLength(3)
@maxLength(63)
param landingContainer string = 'landing'

@description('Whether a new landing account has a hierarchical namespace (Data Lake Storage).')
param landingHierarchicalNamespace bool = false

@description('Resource id of a custom Event Grid topic (CloudEvents schema) for the app\'s events. Leave out: they go to the queue operations-events.')
@maxLength(300)
param eventsTopicId string = ''

// ---- size

@description('Memory of one instance: 2048 MB come with one core.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances that the app may grow to; the region allows 250 cores in a subscription.')
@minValue(1)
@maxValue(250)
param maximumInstanceCount int = 40

@description('HTTP requests that one instance serves at the same time; no more than worker threads.')
@minValue(1)
@maxValue(64)
param httpConcurrency int = 16

@description('Worker threads of one instance; as many as queue messages run at once (host.json), and some.')
@minValue(16)
@maxValue(64)
param workerThreads int = 32

@description('Instances that are always warm: name (http, or function:NAME) and instanceCount.')
@maxLength(10)
param alwaysReady array = []

@description('Whether instances are spread over availability zones: needs two that are always ready in each group.')
param zoneRedundant bool = false

@description('How storage is copied.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GZRS', 'Standard_GRS'])
param storageSku string = 'Standard_ZRS'

// ---- network and access

@description('Virtual network, private endpoints, public access off.')
param privateNetworking bool = false

@description('Address space of the virtual network: a /24, of which two /26 are used.')
@minLength(9)
@maxLength(18)
param virtualNetworkPrefix string = '10.30.0.0/24'

@description('Whether private DNS zones are made here. Turn off where a policy of the organisation links endpoints to central zones.')
param ownDnsZones bool = true

@description('Whether App Service checks tokens as well, in front of the app.')
param platformAuthentication bool = false

@description('Object id of the operators\' security group: uploads documents, stores secrets, replays messages. Leave out: nobody.')
@maxLength(36)
param operatorsGroupId string = ''

@description('Object id of who deploys: uploads config/. Leave out: nobody.')
@maxLength(36)
param deployerPrincipalId string = ''

@description('What the deployer is.')
@allowed(['ServicePrincipal', 'User', 'Group'])
param deployerPrincipalType string = 'ServicePrincipal'

// ---- watching

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Most gigabytes of logs a day; -1 for no limit.')
@minValue(-1)
@maxValue(1000)
param logDailyQuotaGb int = -1

@description('Who is written to when an alert fires.')
@maxLength(20)
param alertEmails string[] = []

@description('Where docs/runbook.md can be read; each alert links to its section.')
@minLength(8)
@maxLength(300)
param runbookUrl string

@description('Milliseconds within which 95 of 100 embed tokens have to be issued.')
@minValue(100)
@maxValue(30000)
param embedLatencyMilliseconds int = 2000

// ---- names: unique by token, within each service's limits

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

var landingParts = split(landingStorageAccountId, '/')
var landingSubscription = empty(landingStorageAccountId) ? subscription().subscriptionId : landingParts[2]
var landingGroup = empty(landingStorageAccountId) ? names.group : landingParts[4]
var landingName = empty(landingStorageAccountId) ? names.landing : landingParts[8]
var topicParts = split(eventsTopicId, '/')

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
    retentionDays: logRetentionDays
    dailyQuotaGb: logDailyQuotaGb
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: names.storage
    location: location
    tags: allTags
    skuName: storageSku
    publicAccess: !privateNetworking
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
    publicAccess: !privateNetworking
    workspaceId: monitoring.outputs.workspaceId
  }
}

module landingAccount 'modules/landing.bicep' = if (empty(landingStorageAccountId)) {
  name: 'landing'
  scope: group
  params: {
    name: names.landing
    location: landingLocation
    tags: allTags
    skuName: storageSku
    container: landingContainer
    hierarchicalNamespace: landingHierarchicalNamespace
    publicAccess: !privateNetworking
    workspaceId: monitoring.outputs.workspaceId
  }
}

module landingTopic 'modules/landing-topic.bicep' = {
  name: 'landing-topic-${environmentName}'
  scope: resourceGroup(landingSubscription, landingGroup)
  params: {
    name: names.topic
    location: landingLocation
    tags: allTags
    accountName: landingName
    container: landingContainer
    readerPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
  dependsOn: [landingAccount]
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    storageName: storage.outputs.name
    workedQueues: storage.outputs.workedQueues
    toldQueues: storage.outputs.toldQueues
    tables: storage.outputs.tables
    vaultName: vault.outputs.name
    componentName: monitoring.outputs.componentName
    appPrincipalId: identity.outputs.principalId
  }
}

module peopleRoles 'modules/roles-people.bicep' = {
  name: 'roles-people'
  scope: group
  params: {
    storageName: storage.outputs.name
    workedQueues: storage.outputs.workedQueues
    vaultName: vault.outputs.name
    operatorsGroupId: operatorsGroupId
    deployerPrincipalId: deployerPrincipalId
    deployerPrincipalType: deployerPrincipalType
  }
}

module deliveryRoles 'modules/roles-delivery.bicep' = {
  name: 'roles-delivery'
  scope: group
  params: {
    storageName: storage.outputs.name
    queue: storage.outputs.landedQueue
    deadLetterContainer: storage.outputs.deadLetterContainer
    topicPrincipalId: landingTopic.outputs.principalId
  }
}

module eventsTopic 'modules/events-topic.bicep' = if (!empty(eventsTopicId)) {
  name: 'events-topic-${environmentName}'
  scope: resourceGroup(
    empty(eventsTopicId) ? subscription().subscriptionId : topicParts[2],
    empty(eventsTopicId) ? names.group : topicParts[4]
  )
  params: {
    name: empty(eventsTopicId) ? 'none' : topicParts[8]
    appPrincipalId: identity.outputs.principalId
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  name: 'network'
  scope: group
  params: {
    name: names.network
    location: location
    tags: allTags
    prefix: virtualNetworkPrefix
    ownDnsZones: ownDnsZones
    workspaceId: monitoring.outputs.workspaceId
  }
}

module dataEndpoints 'modules/endpoints.bicep' = if (privateNetworking) {
  name: 'data-endpoints'
  scope: group
  params: {
    location: location
    tags: allTags
    subnetId: network!.outputs.endpointSubnetId
    zoneIds: network!.outputs.zoneIds
    targets: concat(
      [
        { name: names.storage, service: 'blob', id: storage.outputs.id }
        { name: names.storage, service: 'queue', id: storage.outputs.id }
        { name: names.storage, service: 'table', id: storage.outputs.id }
        { name: names.vault, service: 'vault', id: vault.outputs.id }
      ],
      empty(landingStorageAccountId)
        ? [{ name: names.landing, service: 'blob', id: landingAccount!.outputs.id }]
        : []
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
    packageUrl: storage.outputs.packageUrl
    componentName: monitoring.outputs.componentName
    workspaceId: monitoring.outputs.workspaceId
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    workerThreads: workerThreads
    alwaysReady: alwaysReady
    zoneRedundant: zoneRedundant
    subnetId: privateNetworking ? network!.outputs.appSubnetId : ''
    publicAccess: !privateNetworking
    platformAuthentication: platformAuthentication
    apiClientId: apiClientId
    apiAudience: apiAudience
    powerbiTenantId: powerbiTenantId
    storageEndpoints: storage.outputs.endpoints
    settings: {
      POWERBI_CLOUD: powerbiCloud
      POWERBI_TENANT_ID: powerbiTenantId
      POWERBI_EMBED_CLIENT_ID: embedClientId
      POWERBI_EMBED_CREDENTIAL: embedCredential
      POWERBI_OPERATIONS_CLIENT_ID: operationsClientId
      POWERBI_OPERATIONS_CREDENTIAL: operationsCredential
      KEY_VAULT_URL: vault.outputs.url
      API_AUDIENCE: '${apiAudience},${apiClientId}'
      API_TENANT_ID: join(apiTenantIds, ',')
      LANDING_STORAGE__blobServiceUri: 'https://${landingName}.blob.${environment().suffixes.storage}'
      EVENTS_TOPIC_ENDPOINT: empty(eventsTopicId) ? '' : eventsTopic!.outputs.endpoint
    }
  }
  dependsOn: [roles, landingTopic] // so that it never starts without its rights
}

module appEndpoint 'modules/endpoints.bicep' = if (privateNetworking) {
  name: 'app-endpoint'
  scope: group
  params: {
    location: location
    tags: allTags
    subnetId: network!.outputs.endpointSubnetId
    zoneIds: network!.outputs.zoneIds
    targets: [{ name: names.app, service: 'sites', id: app.outputs.id }]
  }
  dependsOn: [dataEndpoints] // one at a time: the network takes one change at once
}

// The last but watching: Event Grid checks at once that it may deliver, and its roles need minutes to be known.
module landingEvents 'modules/landing-events.bicep' = {
  name: 'landing-events-${environmentName}'
  scope: resourceGroup(landingSubscription, landingGroup)
  params: {
    topicName: landingTopic.outputs.name
    container: landingContainer
    storageId: storage.outputs.id
    queue: storage.outputs.landedQueue
    deadLetterContainer: storage.outputs.deadLetterContainer
  }
  dependsOn: [deliveryRoles, app]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    actionGroupName: names.actions
    emails: alertEmails
    runbookUrl: runbookUrl
    componentId: monitoring.outputs.componentId
    topicId: landingTopic.outputs.id
    topicLocation: landingLocation
    embedLatencyMilliseconds: embedLatencyMilliseconds
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    componentId: monitoring.outputs.componentId
  }
}

// ---- what a caller, azd or the deployment workflow needs

@description('Resource group of everything (but an existing landing account\'s event topic).')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output FUNCTION_APP_NAME string = app.outputs.name

@description('Where the API is.')
output API_URL string = 'https://${app.outputs.hostName}/api'

@description('What callers ask tokens for.')
output API_SCOPE string = '${apiAudience}/.default'

@description('The app\'s storage account.')
output STORAGE_ACCOUNT_NAME string = storage.outputs.name

@description('The container for the operator\'s documents.')
output CONFIG_CONTAINER string = storage.outputs.configContainer

@description('The account in which files land.')
output LANDING_ACCOUNT_NAME string = landingName

@description('The key vault.')
output KEY_VAULT_NAME string = vault.outputs.name

@description('Client id of the app\'s managed identity.')
output IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Object id of the app\'s managed identity: the subject of federated credentials.')
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
