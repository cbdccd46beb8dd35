metadata description = 'Private endpoints: one for each service of each resource.'

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('The subnet that they are in.')
param subnetId string

@description('Resource ids of DNS zones by service; empty: the organisation links endpoints itself.')
param zoneIds object

@description('What they lead to: name, service (blob, queue, table, vault, sites) and id.')
@minLength(1)
param targets array

@batchSize(1)
resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = [
  for target in targets: {
    name: 'pep-${target.name}-${target.service}'
    location: location
    tags: tags
    properties: {
      subnet: { id: subnetId }
      customNetworkInterfaceName: 'nic-${target.name}-${target.service}'
      privateLinkServiceConnections: [
        {
          name: target.service
          properties: {
            privateLinkServiceId: target.id
            groupIds: [target.service]
          }
        }
      ]
    }
  }
]

resource zoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [
  for (target, index) in targets: if (!empty(zoneIds)) {
    parent: endpoint[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: target.service
          properties: { privateDnsZoneId: zoneIds[target.service] }
        }
      ]
    }
  }
]
