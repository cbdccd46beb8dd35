metadata description = 'The function app on Flex Consumption, with every setting that it has.'

import { apiSettings, powerbiSettings, sizeSettings, storageEndpoints } from '../types.bicep'

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param name string

@description('Name of its plan.')
@minLength(1)
@maxLength(60)
param planName string

@description('Region.')
@minLength(3)
@maxLength(40)
param location string

@description('Tags.')
param tags object

@description('Resource id of its identity.')
@minLength(1)
@maxLength(300)
param identityId string

@description('Client id of its identity.')
@minLength(36)
@maxLength(36)
param identityClientId string

@description('How large it is, and how much of it may fail.')
param size sizeSettings

@description('Power BI, and as whom it is called.')
param powerbi powerbiSettings

@description('This API as callers know it.')
param api apiSettings

@description('Address of the container with its package.')
@minLength(1)
@maxLength(300)
param packageUrl string

@description('Addresses of its storage account.')
param endpoints storageEndpoints

@description('Address of the blobs that land.')
@minLength(1)
@maxLength(300)
param landingBlobUrl string

@description('Address of the key vault.')
@minLength(1)
@maxLength(300)
param vaultUrl string

@description('Where events are sent; empty: to the queue operations-events.')
@maxLength(300)
param eventsTopicUrl string

@description('The Application Insights component.')
@minLength(1)
@maxLength(255)
param componentName string

@description('Resource id of the workspace for logs.')
@minLength(1)
@maxLength(300)
param workspaceId string

@description('Resource id of the subnet through which its traffic goes out; empty: none.')
@maxLength(300)
param subnetId string

@description('Whether it can be reached from the internet.')
param publicAccess bool

// Who signs callers' tokens: their tenant, which need not be Power BI's. China's tokens do not name its login endpoint.
var signer = environment().name == 'AzureChinaCloud'
  ? 'https://login.partner.microsoftonline.cn/'
  : environment().authentication.loginEndpoint

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: {
    reserved: true // Linux
    zoneRedundant: size.zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' }) // how azd finds it
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: size.instanceMemoryMB
        maximumInstanceCount: size.maximumInstanceCount
        alwaysReady: size.alwaysReady
        triggers: { http: { perInstanceConcurrency: size.httpConcurrency } }
      }
    }
  }
}

// The whole set stands here: a deployment replaces all of it.
resource appSettings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    AzureWebJobsStorage__blobServiceUri: endpoints.blob
    AzureWebJobsStorage__queueServiceUri: endpoints.queue
    AzureWebJobsStorage__tableServiceUri: endpoints.table
    LANDING_STORAGE__blobServiceUri: landingBlobUrl
    KEY_VAULT_URL: vaultUrl
    EVENTS_TOPIC_ENDPOINT: eventsTopicUrl
    MANAGED_IDENTITY_CLIENT_ID: identityClientId
    POWERBI_CLOUD: powerbi.cloud
    POWERBI_TENANT_ID: powerbi.tenantId
    POWERBI_EMBED_CLIENT_ID: powerbi.embed.clientId
    POWERBI_EMBED_CREDENTIAL: powerbi.embed.credential
    POWERBI_OPERATIONS_CLIENT_ID: powerbi.operations.clientId
    POWERBI_OPERATIONS_CREDENTIAL: powerbi.operations.credential
    API_AUDIENCE: '${api.audience},${api.clientId}'
    API_TENANT_ID: join(api.tenantIds, ',')
    PYTHON_THREADPOOL_THREAD_COUNT: string(size.workerThreads)
    APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  }
}

resource noPasswordForPackages 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

resource noPasswordForFiles 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

// Written in any case, so that turning the switch off turns it off. The app checks every token itself as well.
resource authentication 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: api.platformAuthentication }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
      excludedPaths: ['/api/health', '/api/openapi.json']
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: api.clientId
          openIdIssuer: '${signer}${api.tenantIds[0]}/v2.0'
        }
        validation: { allowedAudiences: [api.audience, api.clientId] }
      }
    }
    login: { tokenStore: { enabled: false } }
  }
  dependsOn: [appSettings] // each change of configuration restarts the app: one after the other
}

resource appToLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-log'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'FunctionAppLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

var hostName = app.properties.defaultHostName
var appPart = split(hostName, '.')[0]

@description('Resource id.')
output id string = app.id

@description('Name of the app.')
output name string = app.name

@description('Its host name.')
output hostName string = hostName

@description('Where packages are published: the same with scm after its first part.')
output publishUrl string = 'https://${appPart}.scm.${substring(hostName, length(appPart) + 1)}'
