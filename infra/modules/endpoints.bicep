metadata description = 'Private endpoints: one for each service of each resource.'

import { endpointTarget } from '../types.bicep'

@description('Region.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags.')
param tags object

@description('The subnet that they are in.')
@minLength(1)
@maxLength(300)
param subnetId string

@description('Resource ids of DNS zones by service; empty: the organisation links endpoints itself.')
param zoneIds object

@description('What they lead to.')
@minLength(1)
@maxLength(20)
param targets endpointTarget[]

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
