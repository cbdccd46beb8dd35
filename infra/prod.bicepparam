using 'main.bicep'

// Production: private, spread over zones, two instances warm for callers and for the work that others wait for.
// Ids come from the environment (infra/entra/setup.sh prints them); none of them is a secret.

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'prod')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param tags = {
  application: 'powerbi-automation'
  stage: 'prod'
}

var tenantId = readEnvironmentVariable('POWERBI_TENANT_ID', '00000000-0000-0000-0000-000000000000')
param powerbiTenantId = tenantId
param embedClientId = readEnvironmentVariable('POWERBI_EMBED_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param operationsClientId = readEnvironmentVariable('POWERBI_OPERATIONS_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param apiClientId = readEnvironmentVariable('API_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param apiAudience = readEnvironmentVariable('API_AUDIENCE', 'api://powerbi-automation-prod')
param apiTenantIds = [tenantId]

param deployerPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param deployerPrincipalType = 'ServicePrincipal'
param operatorsGroupId = readEnvironmentVariable('OPERATORS_GROUP_ID', '')
param landingStorageAccountId = readEnvironmentVariable('LANDING_ACCOUNT_ID', '')

param runbookUrl = readEnvironmentVariable('RUNBOOK_URL', 'https://example.org/powerbi-automation/docs/runbook.md')
var alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param alertEmails = empty(alertEmail) ? [] : [alertEmail]

param instanceMemoryMB = 2048
param maximumInstanceCount = 40
param httpConcurrency = 16
param workerThreads = 32
param alwaysReady = [
  { name: 'http', instanceCount: 2 }
  { name: 'function:workflow-steps', instanceCount: 2 }
]
param zoneRedundant = true
param storageSku = 'Standard_ZRS'

param privateNetworking = true
param virtualNetworkPrefix = '10.32.0.0/24'
param platformAuthentication = true

param logRetentionDays = 180
param logDailyQuotaGb = -1
