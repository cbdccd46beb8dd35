metadata description = 'The shapes of what main.bicep is given: its parameter files fill them, its modules take them.'

@export()
@sealed()
@description('One of the registrations in Entra ID that call Power BI: by ids, never a secret.')
type registration = {
  @description('Application (client) id.')
  @minLength(36)
  @maxLength(36)
  clientId: string

  @description('How it proves itself: federated, or certificate:NAME or secret:NAME, a name in the key vault.')
  @minLength(8)
  @maxLength(140)
  credential: string
}

@export()
@sealed()
@description('Power BI, and as whom it is called.')
type powerbiSettings = {
  @description('The cloud in which Power BI is.')
  cloud: 'public' | 'usgov' | 'usgovhigh' | 'usgovmil' | 'china'

  @description('Tenant of Power BI.')
  @minLength(36)
  @maxLength(36)
  tenantId: string

  @description('Issues embed tokens.')
  embed: registration

  @description('Changes workspaces and refreshes datasets.')
  operations: registration
}

@export()
@sealed()
@description('This API as callers know it.')
type apiSettings = {
  @description('Application (client) id of its own registration: what callers ask tokens for.')
  @minLength(36)
  @maxLength(36)
  clientId: string

  @description('Application ID URI of that registration: the audience of version 1 tokens.')
  @minLength(6)
  @maxLength(255)
  audience: string

  @description('Tenants whose callers are let in; exactly one with platformAuthentication.')
  @minLength(1)
  @maxLength(20)
  tenantIds: string[]

  @description('Whether App Service checks tokens as well, in front of the app.')
  platformAuthentication: bool
}

@export()
@sealed()
@description('Where files land.')
type landingSettings = {
  @description('Resource id of the storage account; empty: a new one is made.')
  @maxLength(300)
  accountId: string

  @description('Name of the system topic that the account has already (it has at most one); empty: a new one is made.')
  @maxLength(50)
  topicName: string

  @description('Region of that account, where it is another one: its events are taken there.')
  @minLength(3)
  @maxLength(40)
  location: string?

  @description('The container.')
  @minLength(3)
  @maxLength(63)
  container: string

  @description('Whether a new account has a hierarchical namespace (Data Lake Storage).')
  hierarchicalNamespace: bool
}

@export()
@sealed()
@description('Instances of one group of functions that are always warm.')
type warmGroup = {
  @description('The group: http, or function:NAME.')
  @minLength(4)
  @maxLength(128)
  name: string

  @description('How many.')
  @minValue(1)
  @maxValue(100)
  instanceCount: int
}

@export()
@sealed()
@description('How large it is, and how much of it may fail.')
type sizeSettings = {
  @description('Memory of one instance: 2048 MB come with one core.')
  instanceMemoryMB: 512 | 2048 | 4096

  @description('Most instances of each group of functions; the region allows 250 cores in a subscription.')
  @minValue(1)
  @maxValue(250)
  maximumInstanceCount: int

  @description('HTTP requests that one instance serves at the same time; no more than worker threads.')
  @minValue(1)
  @maxValue(64)
  httpConcurrency: int

  @description('Worker threads of one instance; as many as queue messages run at once (host.json), and some.')
  @minValue(16)
  @maxValue(64)
  workerThreads: int

  @description('What is always warm.')
  @maxLength(10)
  alwaysReady: warmGroup[]

  @description('Whether instances are spread over availability zones: needs two that are always ready in each group.')
  zoneRedundant: bool

  @description('How storage is copied.')
  storageSku: 'Standard_LRS' | 'Standard_ZRS' | 'Standard_GZRS' | 'Standard_GRS'
}

@export()
@sealed()
@description('From where it can be reached, and how it reaches out.')
type networkSettings = {
  @description('Virtual network, private endpoints, public access off.')
  private: bool

  @description('Address space of the virtual network: a /24, of which two /26 are used.')
  @minLength(9)
  @maxLength(18)
  addressPrefix: string

  @description('Whether private DNS zones are made here. Turn off where a policy links endpoints to central zones.')
  ownDnsZones: bool

  @description('Resource id of a route table that leads the app\'s traffic through a firewall; empty: straight out.')
  @maxLength(300)
  routeTableId: string
}

@export()
@sealed()
@description('Who handles data beside the app.')
type peopleSettings = {
  @description('Object id of the operators\' security group; empty: nobody.')
  @maxLength(36)
  operatorsGroupId: string

  @description('Object id of who deploys, and so uploads config/; empty: nobody.')
  @maxLength(36)
  deployerPrincipalId: string

  @description('What the deployer is.')
  deployerPrincipalType: 'ServicePrincipal' | 'User' | 'Group'
}

@export()
@sealed()
@description('What is kept of logs, and who is told.')
type watchingSettings = {
  @description('Days that logs are kept.')
  @minValue(30)
  @maxValue(730)
  logRetentionDays: int

  @description('Most gigabytes of logs a day; -1 for no limit.')
  @minValue(-1)
  @maxValue(1000)
  logDailyQuotaGb: int

  @description('Who is written to when an alert fires.')
  @maxLength(20)
  alertEmails: string[]

  @description('Where docs/runbook.md can be read; each alert links to its section.')
  @minLength(8)
  @maxLength(300)
  runbookUrl: string

  @description('Milliseconds within which 95 of 100 embed tokens have to be issued.')
  @minValue(100)
  @maxValue(30000)
  embedLatencyMilliseconds: int
}

@export()
@sealed()
@description('What a private endpoint leads to.')
type endpointTarget = {
  @description('Name of the resource.')
  @minLength(2)
  @maxLength(60)
  name: string

  @description('Which of its services.')
  service: 'blob' | 'dfs' | 'queue' | 'table' | 'vault' | 'sites'

  @description('Resource id.')
  @minLength(1)
  @maxLength(300)
  id: string
}

@export()
@sealed()
@description('Addresses of a storage account.')
type storageEndpoints = {
  @description('Blobs.')
  @minLength(1)
  @maxLength(300)
  blob: string

  @description('Queues.')
  @minLength(1)
  @maxLength(300)
  queue: string

  @description('Tables.')
  @minLength(1)
  @maxLength(300)
  table: string
}
