metadata description = 'The landing account\'s events, and the app\'s right to read what landed. Deployed where that account is.'

@description('Name of the system topic. An account has at most one: a second one stops this deployment.')
@minLength(3)
@maxLength(50)
param name string

@description('Whether the topic is made here; else it has to have a system-assigned identity.')
param isNew bool

@description('Region of the account.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags.')
param tags object

@description('The account in which files land.')
@minLength(3)
@maxLength(24)
param accountName string

@description('The container in which they land.')
@minLength(3)
@maxLength(63)
param container string

@description('Object id of the app\'s identity.')
@minLength(36)
@maxLength(36)
param readerPrincipalId string

@description('Resource id of the workspace for logs.')
@minLength(1)
@maxLength(300)
param workspaceId string

var blobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1' // Storage Blob Data Reader

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: accountName
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource landing 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobService
  name: container
}

resource landingRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = { // the sweep lists what landed
  name: guid(landing.id, readerPrincipalId, blobDataReader)
  scope: landing
  properties: {
    principalId: readerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataReader)
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (isNew) {
  name: name
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' } // storage behind a firewall takes events from no other kind of identity
  properties: {
    source: account.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

// Somebody else's, and logged as its owner has it.
resource existingTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = if (!isNew) {
  name: name
}

resource topicToLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (isNew) {
  name: 'to-log'
  scope: topic
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'DeliveryFailures', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('Resource id of the account.')
output accountId string = account.id

@description('Resource id of the topic.')
output id string = isNew ? topic.id : existingTopic.id

@description('Object id of the topic\'s identity: what delivers.')
output principalId string = isNew ? topic!.identity.principalId : existingTopic!.identity.principalId
