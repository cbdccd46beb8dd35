metadata description = 'What the app may do, and nothing else: every right of its identity but reading the landing container and telling a topic.'

import { tables, toldQueues, workedQueues } from '../contents.bicep'

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

@description('Object id of the app\'s identity.')
@minLength(36)
@maxLength(36)
param appPrincipalId string

var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
var queueMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a' // Storage Queue Data Message Sender
var queueDataReader = '19e7f393-937e-4f77-808e-94535e297925' // Storage Queue Data Reader
var tableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource workedQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' existing = [
  for name in workedQueues: {
    parent: queueService
    name: name
  }
]

resource toldQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' existing = [
  for name in toldQueues: {
    parent: queueService
    name: name
  }
]

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' existing = [
  for name in tables: {
    parent: tableService
    name: name
  }
]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

// The Functions host asks for this role on the whole account: locks, timers, keys and the package are in containers
// of its own making. It covers the app's containers too.
resource blobRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, blobDataOwner)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataOwner)
  }
}

// Contributor and not Message Processor: the host renews a message's lease, and moves it to the poison queue.
resource workedQueueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in workedQueues: {
    name: guid(workedQueue[index].id, appPrincipalId, queueDataContributor)
    scope: workedQueue[index]
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueDataContributor)
    }
  }
]

resource toldQueueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in toldQueues: {
    name: guid(toldQueue[index].id, appPrincipalId, queueMessageSender)
    scope: toldQueue[index]
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueMessageSender)
    }
  }
]

// To measure how long events wait for whoever reads them; sending alone shows nothing.
resource watchedQueueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in toldQueues: {
    name: guid(toldQueue[index].id, appPrincipalId, queueDataReader)
    scope: toldQueue[index]
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueDataReader)
    }
  }
]

resource tableRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in tables: {
    name: guid(table[index].id, appPrincipalId, tableDataContributor)
    scope: table[index]
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableDataContributor)
    }
  }
]

resource secretsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, appPrincipalId, secretsUser)
  scope: vault
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

resource telemetryRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(component.id, appPrincipalId, metricsPublisher)
  scope: component
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
  }
}
