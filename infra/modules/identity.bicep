metadata description = 'The one identity that the app is in Azure: storage, key vault, telemetry, its own package.'

@description('Name of the identity.')
@minLength(3)
@maxLength(128)
param name string

@description('Region.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id.')
output id string = identity.id

@description('Object id: what roles are assigned to.')
output principalId string = identity.properties.principalId

@description('Client id: how code chooses this identity.')
output clientId string = identity.properties.clientId
