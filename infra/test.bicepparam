using 'main.bicep'

// Test: as production is, but for its size.
// Ids come from the environment (infra/entra/setup.sh prints them); none of them is a secret.

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'test')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param tags = {
  application: 'powerbi-automation'
  stage: 'test'
}

var tenantId = readEnvironmentVariable('POWERBI_TENANT_ID', '00000000-0000-0000-0000-000000000000')
param powerbiTenantId = tenantId
param embedClientId = readEnvironmentVariable('POWERBI_EMBED_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param operationsClientId = readEnvironmentVariable('POWERBI_OPERATIONS_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param apiClientId = readEnvironmentVariable('API_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param apiAudience = readEnvironmentVariable('API_AUDIENCE', 'api://powerbi-automation-test')
param apiTenantIds = [tenantId]

param deployerPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param deployerPrincipalType = 'ServicePrincipal'
param operatorsGroupId = readEnvironmentVariable('OPERATORS_GROUP_ID', '')
param landingStorageAccountId = readEnvironmentVariable('LANDING_ACCOUNT_ID', '')

param runbookUrl = readEnvironmentVariable('RUNBOOK_URL', 'https://example.org/powerbi-automation/docs/runbook.md')
var alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param alertEmails = empty(alertEmail) ? [] : [alertEmail]

param instanceMemoryMB = 2048
param maximumInstanceCount = 10
param httpConcurrency = 16
param workerThreads = 32
param alwaysReady = []
param zoneRedundant = false
param storageSku = 'Standard_ZRS'

param privateNetworking = true
param virtualNetworkPrefix = '10.31.0.0/24'
param platformAuthentication = true

param logRetentionDays = 30
param logDailyQuotaGb = 5
