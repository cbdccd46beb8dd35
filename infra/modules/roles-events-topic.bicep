metadata description = 'The app\'s right to tell an existing custom topic what happened. Deployed where that topic is.'

@description('Name of the topic.')
@minLength(3)
@maxLength(50)
param name string

@description('Object id of the app\'s identity.')
@minLength(36)
@maxLength(36)
param appPrincipalId string

var eventGridDataSender = 'd5a91429-5739-47e2-a06b-3470a27159e7' // EventGrid Data Sender

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: name
}

resource senderRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, appPrincipalId, eventGridDataSender)
  scope: topic
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventGridDataSender)
  }
}

@description('Where events are sent.')
output endpoint string = topic.properties.endpoint
