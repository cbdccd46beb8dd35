metadata description = 'The app\'s own storage account: the host\'s, its queues, tables and containers. The app creates none of them.'

@description('Name of the account: 3 to 24 lower-case letters and digits.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('How it is copied.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GZRS', 'Standard_GRS'])
param skuName string

@description('Whether it can be reached from the internet (with an Entra ID token).')
param publicAccess bool

@description('Where its logs go.')
param workspaceId string

var landedQueue = 'data-landed'
var triggerQueues = ['provisioning-requests', landedQueue, 'workflow-steps', 'refresh-looks']
var poisonQueues = map(triggerQueues, one => '${one}-poison')
var workedQueues = concat(triggerQueues, poisonQueues)
var toldQueues = ['operations-events']
var tables = ['workflows', 'open', 'projects', 'landings', 'datasets', 'runs', 'audit', 'idempotency']
var configContainer = 'config'
var packageContainer = 'app-package'
var deadLetterContainer = 'dead-letters'
var containers = [
  configContainer
  'config-accepted'
  'requests'
  'runs'
  'rejected'
  'templates'
  'archive'
  'reports'
]
var platformContainers = [packageContainer, deadLetterContainer] // not the app's: deployment's and Event Grid's

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: skuName }
  properties: {
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      defaultAction: publicAccess ? 'Allow' : 'Deny'
      bypass: 'AzureServices' // Event Grid delivers from outside the network, as a trusted service with its identity
    }
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 14 }
    containerDeleteRetentionPolicy: { enabled: true, days: 14 }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = [
  for containerName in concat(containers, platformContainers): {
    parent: blobService
    name: containerName
    properties: { publicAccess: 'None' }
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' = [
  for queueName in concat(workedQueues, toldQueues): {
    parent: queueService
    name: queueName
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' = [
  for tableName in tables: {
    parent: tableService
    name: tableName
  }
]

resource retention 'Microsoft.Storage/storageAccounts/managementPolicies@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'refused-messages'
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['rejected/', '${deadLetterContainer}/'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: 180 } } }
          }
        }
      ]
    }
  }
}

resource blobsToLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log'
  scope: blobService
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageWrite', enabled: true } // who changed documents or the package
      { category: 'StorageDelete', enabled: true }
    ]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

// Reads and writes of queues and tables are the app's heartbeat (a poll each 5 seconds); what it did with them is in
// its own log and in the table `audit`.
resource queuesToLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log'
  scope: queueService
  properties: {
    workspaceId: workspaceId
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

resource tablesToLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log'
  scope: tableService
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'StorageDelete', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

@description('Resource id.')
output id string = account.id

@description('Name of the account.')
output name string = account.name

@description('Addresses of its services.')
output endpoints object = {
  blob: account.properties.primaryEndpoints.blob
  queue: account.properties.primaryEndpoints.queue
  table: account.properties.primaryEndpoints.table
}

@description('Where the app\'s package lies.')
output packageUrl string = '${account.properties.primaryEndpoints.blob}${packageContainer}'

@description('Queues with a function, and their poison queues: the app reads, renews, deletes and sends.')
output workedQueues string[] = workedQueues

@description('Queues that the app only sends to.')
output toldQueues string[] = toldQueues

@description('Queue of events about files that landed.')
output landedQueue string = landedQueue

@description('Tables.')
output tables string[] = tables

@description('Container of the operator\'s documents.')
output configContainer string = configContainer

@description('Container of events that could not be delivered.')
output deadLetterContainer string = deadLetterContainer
