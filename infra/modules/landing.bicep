metadata description = 'Where files land: a new account or an existing one, its events, and the app\'s right to read what landed.'

targetScope = 'subscription'

@description('Whether the account is made here.')
param isNew bool

@description('Subscription of the account.')
@minLength(36)
@maxLength(36)
param subscriptionId string

@description('Resource group of the account.')
@minLength(1)
@maxLength(90)
param groupName string

@description('Name of the account: 3 to 24 lower-case letters and digits.')
@minLength(3)
@maxLength(24)
param accountName string

@description('Name of the system topic.')
@minLength(3)
@maxLength(50)
param topicName string

@description('Whether that topic is made here.')
param topicIsNew bool

@description('Region of the account.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags.')
param tags object

@description('The container in which files land.')
@minLength(3)
@maxLength(63)
param container string

@description('Whether a new account has a hierarchical namespace (Data Lake Storage).')
param hierarchicalNamespace bool

@description('How a new account is copied.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GZRS', 'Standard_GRS'])
param skuName string

@description('Whether a new account can be reached from the internet (with an Entra ID token).')
param publicAccess bool

@description('Object id of the app\'s identity, which reads what landed.')
@minLength(36)
@maxLength(36)
param readerPrincipalId string

@description('Resource id of the workspace for logs.')
@minLength(1)
@maxLength(300)
param workspaceId string

module account 'landing-account.bicep' = if (isNew) {
  name: 'landing-account'
  scope: resourceGroup(subscriptionId, groupName)
  params: {
    name: accountName
    location: location
    tags: tags
    skuName: skuName
    container: container
    hierarchicalNamespace: hierarchicalNamespace
    publicAccess: publicAccess
    workspaceId: workspaceId
  }
}

module topic 'landing-topic.bicep' = {
  name: 'landing-topic-${topicName}'
  scope: resourceGroup(subscriptionId, groupName)
  params: {
    name: topicName
    isNew: topicIsNew
    location: location
    tags: tags
    accountName: accountName
    container: container
    readerPrincipalId: readerPrincipalId
    workspaceId: workspaceId
  }
  dependsOn: [account]
}

@description('Resource id of the account.')
output accountId string = topic.outputs.accountId

@description('Resource id of the system topic.')
output topicId string = topic.outputs.id

@description('Object id of the topic\'s identity: what delivers.')
output topicPrincipalId string = topic.outputs.principalId
