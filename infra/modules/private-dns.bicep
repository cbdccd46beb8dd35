metadata description = 'Private DNS zones: inside the network, each service\'s name leads to its private endpoint.'

@description('Tags.')
param tags object

@description('Resource id of the virtual network.')
@minLength(1)
@maxLength(300)
param networkId string

@description('Services that have an endpoint: blob, dfs, queue, table, vault, sites.')
@minLength(1)
@maxLength(6)
param services string[]

var clouds = {
  AzureCloud: { vault: 'privatelink.vaultcore.azure.net', sites: 'privatelink.azurewebsites.net' }
  AzureUSGovernment: { vault: 'privatelink.vaultcore.usgovcloudapi.net', sites: 'privatelink.azurewebsites.us' }
  AzureChinaCloud: { vault: 'privatelink.vaultcore.azure.cn', sites: 'privatelink.chinacloudsites.cn' }
}
var names = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  dfs: 'privatelink.dfs.${environment().suffixes.storage}'
  queue: 'privatelink.queue.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  vault: clouds[environment().name].vault
  sites: clouds[environment().name].sites
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for service in services: {
    name: names[service]
    location: 'global'
    tags: tags
  }
]

resource zoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (service, index) in services: {
    parent: zone[index]
    name: 'to-${last(split(networkId, '/'))}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: networkId }
    }
  }
]

@description('Resource ids of the zones by service.')
output zoneIds object = toObject(
  services,
  service => service,
  service => resourceId('Microsoft.Network/privateDnsZones', names[service])
)
