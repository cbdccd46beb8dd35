using 'main.bicep'

// Development: the smallest thing that works; nothing is kept warm, and everything can be reached with a token.
// Ids come from the environment (infra/entra/setup.sh prints them); none of them is a secret.

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param tags = {
  application: 'powerbi-automation'
  stage: 'dev'
}

var tenantId = readEnvironmentVariable('POWERBI_TENANT_ID', '00000000-0000-0000-0000-000000000000')
param powerbiTenantId = tenantId
param embedClientId = readEnvironmentVariable('POWERBI_EMBED_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param operationsClientId = readEnvironmentVariable('POWERBI_OPERATIONS_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param apiClientId = readEnvironmentVariable('API_CLIENT_ID', '00000000-0000-0000-0000-000000000000')
param apiAudience = readEnvironmentVariable('API_AUDIENCE', 'api://powerbi-automation-dev')
param apiTenantIds = [tenantId]

param deployerPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param deployerPrincipalType = 'User'
param operatorsGroupId = readEnvironmentVariable('OPERATORS_GROUP_ID', '')
param landingStorageAccountId = readEnvironmentVariable('LANDING_ACCOUNT_ID', '')

param runbookUrl = readEnvironmentVariable('RUNBOOK_URL', 'https://example.org/powerbi-automation/docs/runbook.md')
var alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param alertEmails = empty(alertEmail) ? [] : [alertEmail]

param instanceMemoryMB = 2048
param maximumInstanceCount = 5
param httpConcurrency = 16
param workerThreads = 32
param alwaysReady = []
param zoneRedundant = false
param storageSku = 'Standard_LRS'

param privateNetworking = false
param platformAuthentication = false

param logRetentionDays = 30
param logDailyQuotaGb = 1
