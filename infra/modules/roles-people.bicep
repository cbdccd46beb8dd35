metadata description = 'What people and pipelines may do with data: upload documents, store secrets, mend and replay messages.'

import { configContainer, readableContainers, tables, workedQueues } from '../contents.bicep'
import { peopleSettings } from '../types.bicep'

@description('The app\'s storage account.')
@minLength(3)
@maxLength(24)
param storageName string

@description('The key vault.')
@minLength(3)
@maxLength(24)
param vaultName string

@description('Who handles data beside the app.')
param people peopleSettings

var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
var blobDataReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1' // Storage Blob Data Reader
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
var tableDataReader = '76199698-9eea-4c19-bc75-cec21354c6b6' // Storage Table Data Reader
var secretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7' // Key Vault Secrets Officer

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource config 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = {
  parent: blobService
  name: configContainer
}

resource readable 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' existing = [
  for name in readableContainers: {
    parent: blobService
    name: name
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource workedQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-01-01' existing = [
  for name in workedQueues: {
    parent: queueService
    name: name
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' existing = {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' existing = [
  for name in tables: {
    parent: tableService
    name: name
  }
]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource operatorsConfigRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(people.operatorsGroupId)) {
  name: guid(config.id, people.operatorsGroupId, blobDataContributor)
  scope: config
  properties: {
    principalId: people.operatorsGroupId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
  }
}

resource operatorsReadRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in readableContainers: if (!empty(people.operatorsGroupId)) {
    name: guid(readable[index].id, people.operatorsGroupId, blobDataReader)
    scope: readable[index]
    properties: {
      principalId: people.operatorsGroupId
      principalType: 'Group'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataReader)
    }
  }
]

// To replay is to take a message off a poison queue and to put it on its own queue.
resource operatorsQueueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in workedQueues: if (!empty(people.operatorsGroupId)) {
    name: guid(workedQueue[index].id, people.operatorsGroupId, queueDataContributor)
    scope: workedQueue[index]
    properties: {
      principalId: people.operatorsGroupId
      principalType: 'Group'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueDataContributor)
    }
  }
]

resource operatorsTableRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in tables: if (!empty(people.operatorsGroupId)) {
    name: guid(table[index].id, people.operatorsGroupId, tableDataReader)
    scope: table[index]
    properties: {
      principalId: people.operatorsGroupId
      principalType: 'Group'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableDataReader)
    }
  }
]

resource operatorsSecretsRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(people.operatorsGroupId)) {
  name: guid(vault.id, people.operatorsGroupId, secretsOfficer)
  scope: vault
  properties: {
    principalId: people.operatorsGroupId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsOfficer)
  }
}

resource deployerConfigRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(people.deployerPrincipalId)) {
  name: guid(config.id, people.deployerPrincipalId, blobDataContributor)
  scope: config
  properties: {
    principalId: people.deployerPrincipalId
    principalType: people.deployerPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
  }
}
