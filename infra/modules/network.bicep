metadata description = 'The virtual network: one subnet for the app, one for private endpoints, and the DNS zones that lead to them.'

@description('Name of the virtual network.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Address space: a /24.')
param prefix string

@description('Whether private DNS zones are made here.')
param ownDnsZones bool

@description('Where logs go.')
param workspaceId string

var clouds = {
  AzureCloud: { vault: 'privatelink.vaultcore.azure.net', sites: 'privatelink.azurewebsites.net' }
  AzureUSGovernment: { vault: 'privatelink.vaultcore.usgovcloudapi.net', sites: 'privatelink.azurewebsites.us' }
  AzureChinaCloud: { vault: 'privatelink.vaultcore.azure.cn', sites: 'privatelink.chinacloudsites.cn' }
}
var zones = [
  { service: 'blob', name: 'privatelink.blob.${environment().suffixes.storage}' }
  { service: 'queue', name: 'privatelink.queue.${environment().suffixes.storage}' }
  { service: 'table', name: 'privatelink.table.${environment().suffixes.storage}' }
  { service: 'vault', name: clouds[environment().name].vault }
  { service: 'sites', name: clouds[environment().name].sites }
]

resource appRules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}-app'
  location: location
  tags: tags
  properties: { securityRules: [] } // the platform's own: out to anywhere, in from nowhere but the network
}

resource endpointRules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}-endpoints'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'allow-https-from-network'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '443'
        }
      }
      {
        name: 'deny-the-rest'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [prefix] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(prefix, 26, 0)
          networkSecurityGroup: { id: appRules.id }
          delegations: [
            { name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(prefix, 26, 1)
          networkSecurityGroup: { id: endpointRules.id }
          privateEndpointNetworkPolicies: 'Enabled' // so that the rules above hold for the endpoints
        }
      }
    ]
  }
}

resource appSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' existing = {
  parent: network
  name: 'app'
}

resource endpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' existing = {
  parent: network
  name: 'endpoints'
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for one in zones: if (ownDnsZones) {
    name: one.name
    location: 'global'
    tags: tags
  }
]

resource zoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (one, index) in zones: if (ownDnsZones) {
    parent: zone[index]
    name: 'to-${name}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: network.id }
    }
  }
]

resource networkToLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log'
  scope: network
  properties: {
    workspaceId: workspaceId
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

resource appRulesToLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log'
  scope: appRules
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'NetworkSecurityGroupEvent', enabled: true }
      { category: 'NetworkSecurityGroupRuleCounter', enabled: true }
    ]
  }
}

resource endpointRulesToLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log'
  scope: endpointRules
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'NetworkSecurityGroupEvent', enabled: true }
      { category: 'NetworkSecurityGroupRuleCounter', enabled: true }
    ]
  }
}

@description('Where the app\'s traffic goes out.')
output appSubnetId string = appSubnet.id

@description('Where private endpoints are.')
output endpointSubnetId string = endpointSubnet.id

@description('Resource ids of the DNS zones by service; none where the organisation links endpoints itself.')
output zoneIds object = ownDnsZones
  ? toObject(
      zones,
      one => one.service,
      one => resourceId('Microsoft.Network/privateDnsZones', one.name)
    )
  : {}
