metadata description = 'The private side: a virtual network, DNS zones, and an endpoint for each service that holds data.'

import { endpointTarget, networkSettings } from '../types.bicep'

@description('Name of the virtual network.')
@minLength(2)
@maxLength(64)
param name string

@description('Region.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags.')
param tags object

@description('From where it can be reached, and how it reaches out.')
param settings networkSettings

@description('Resource id of the workspace for logs.')
@minLength(1)
@maxLength(300)
param workspaceId string

@description('What holds data.')
@minLength(1)
@maxLength(20)
param targets endpointTarget[]

module virtualNetwork 'virtual-network.bicep' = {
  name: 'virtual-network'
  params: { name: name, location: location, tags: tags, settings: settings, workspaceId: workspaceId }
}

module zones 'private-dns.bicep' = if (settings.ownDnsZones) {
  name: 'private-dns'
  params: {
    tags: tags
    networkId: virtualNetwork.outputs.id
    services: union(map(targets, target => target.service), ['sites'])
  }
}

module endpoints 'endpoints.bicep' = {
  name: 'data-endpoints'
  params: {
    location: location
    tags: tags
    subnetId: virtualNetwork.outputs.endpointSubnetId
    zoneIds: settings.ownDnsZones ? zones!.outputs.zoneIds : {}
    targets: targets
  }
}

@description('Where the app\'s traffic goes out.')
output appSubnetId string = virtualNetwork.outputs.appSubnetId

@description('Where private endpoints are.')
output endpointSubnetId string = virtualNetwork.outputs.endpointSubnetId

@description('Resource ids of the DNS zones by service; none where the organisation links endpoints itself.')
output zoneIds object = settings.ownDnsZones ? zones!.outputs.zoneIds : {}
