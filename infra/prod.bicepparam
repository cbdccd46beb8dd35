using 'main.bicep'

// Production: private, spread over zones, two instances warm for callers and for the work that others wait for.
// Ids come from the environment (infra/entra/setup.sh prints them); none of them is a secret.

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'prod')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param tags = {
  application: 'powerbi-automation'
  stage: 'prod'
}

var unset = '00000000-0000-0000-0000-000000000000'
var tenantId = readEnvironmentVariable('POWERBI_TENANT_ID', unset)

param powerbi = {
  cloud: 'public'
  tenantId: tenantId
  embed: {
    clientId: readEnvironmentVariable('POWERBI_EMBED_CLIENT_ID', unset)
    credential: 'federated'
  }
  operations: {
    clientId: readEnvironmentVariable('POWERBI_OPERATIONS_CLIENT_ID', unset)
    credential: 'federated'
  }
}

param api = {
  clientId: readEnvironmentVariable('API_CLIENT_ID', unset)
  audience: readEnvironmentVariable('API_AUDIENCE', 'api://powerbi-automation-prod')
  tenantIds: [tenantId]
  platformAuthentication: true
}

param landing = {
  accountId: readEnvironmentVariable('LANDING_ACCOUNT_ID', '')
  topicName: readEnvironmentVariable('LANDING_TOPIC_NAME', '')
  container: 'landing'
  hierarchicalNamespace: false
}

param size = {
  instanceMemoryMB: 2048
  maximumInstanceCount: 40
  httpConcurrency: 16
  workerThreads: 32
  alwaysReady: [
    { name: 'http', instanceCount: 2 }
    { name: 'function:workflow-steps', instanceCount: 2 }
  ]
  zoneRedundant: true
  storageSku: 'Standard_ZRS'
}

param networking = {
  private: true
  addressPrefix: '10.32.0.0/24'
  ownDnsZones: true
  routeTableId: ''
}

param people = {
  operatorsGroupId: readEnvironmentVariable('OPERATORS_GROUP_ID', '')
  deployerPrincipalId: readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
  deployerPrincipalType: readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', 'ServicePrincipal')
}

var alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')

param watching = {
  logRetentionDays: 180
  logDailyQuotaGb: -1
  alertEmails: empty(alertEmail) ? [] : [alertEmail]
  runbookUrl: readEnvironmentVariable('RUNBOOK_URL', 'https://example.org/powerbi-automation/docs/runbook.md')
  embedLatencyMilliseconds: 2000
}
