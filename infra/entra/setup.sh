#!/usr/bin/env bash
# The Entra ID side, which Azure's templates can't make. Run it as often as you like: what is there stays as it is.
#
#   setup.sh registrations ENVIRONMENT   the API's registration with its roles, one registration for each Power BI
#                                        identity, and the security group for Power BI's tenant settings; prints the
#                                        ids that the deployment needs. Before the first deployment.
#   setup.sh federation ENVIRONMENT      lets the app's managed identity vouch for the Power BI registrations, so that
#                                        nothing has to be stored. After the first deployment (IDENTITY_PRINCIPAL_ID).
#   setup.sh secrets ENVIRONMENT         only where the settings say secret:NAME instead of federated: a client secret
#                                        for each, straight into the key vault (KEY_VAULT_NAME), never shown. Again to
#                                        rotate.
#
# Needs the Azure CLI, signed in as somebody who may register applications and make groups, and jq.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

usage() { sed -n '2,14p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
step=$1
environment=$2
api="powerbi-automation-$environment"
identities="embed operations"
group="powerbi-automation-$environment-service-principals"
azure_cli=04b07795-8ddb-461a-bbee-02f9e1bf7b46 # Microsoft's id of the Azure CLI, the same in every tenant

tenant=$(az account show --query tenantId --output tsv)
graph=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
graph=${graph%/}
login=$(az cloud show --query endpoints.activeDirectory --output tsv)
login=${login%/}

application() { az ad app list --display-name "$1" --query "[?displayName=='$1'].appId | [0]" --output tsv; }

# name -> client id of a registration in this tenant, with its service principal
registered() {
  local id
  id=$(application "$1")
  [ -n "$id" ] || id=$(az ad app create --display-name "$1" --sign-in-audience AzureADMyOrg --query appId --output tsv)
  az ad sp show --id "$id" --output none 2>/dev/null || az ad sp create --id "$id" --output none
  echo "$id"
}

# A delegated scope of the same name as each role: with the role's id, shifted, so that it is the same at every run.
scopes() {
  jq '[.[] | {id: (.id | sub("61c1"; "61c2")), value, type: "User", isEnabled,
    adminConsentDisplayName: .displayName, adminConsentDescription: .description,
    userConsentDisplayName: .displayName, userConsentDescription: .description}]' "$here/roles.json"
}

# object id, more of it (jq) -> the API's side of its registration
describe() {
  az rest --method PATCH --url "$graph/v1.0/applications/$1" --headers Content-Type=application/json \
    --body "$(jq -n --argjson scopes "$(scopes)" --arg cli "$azure_cli" \
      "{api: ({requestedAccessTokenVersion: 2, oauth2PermissionScopes: \$scopes} + $2)}")"
}

registrations() {
  local id object uri member
  uri="api://$tenant/$api"
  id=$(registered "$api")
  object=$(az ad app show --id "$id" --query id --output tsv)
  az ad app update --id "$id" --identifier-uris "$uri" --app-roles "@$here/roles.json"
  describe "$object" '{}'
  # people ask by the Azure CLI (readiness, runbook), without a consent of each; what they may do is still their roles.
  # Apart, for a scope has to be there before it is named.
  describe "$object" '{preAuthorizedApplications: [{appId: $cli, delegatedPermissionIds: [$scopes[].id]}]}'
  # nobody gets a token for this API who was not assigned a role
  az ad sp update --id "$id" --set appRoleAssignmentRequired=true
  az ad group show --group "$group" --output none 2>/dev/null ||
    az ad group create --display-name "$group" --mail-nickname "$group" --output none

  echo "POWERBI_TENANT_ID=$tenant"
  echo "API_CLIENT_ID=$id"
  echo "API_AUDIENCE=$uri"
  for name in $identities; do
    id=$(registered "$api-$name")
    member=$(az ad sp show --id "$id" --query id --output tsv)
    [ "$(az ad group member check --group "$group" --member-id "$member" --query value --output tsv)" = true ] ||
      az ad group member add --group "$group" --member-id "$member"
    echo "POWERBI_$(echo "$name" | tr '[:lower:]' '[:upper:]')_CLIENT_ID=$id"
  done
  echo "# Power BI's tenant settings name the group $group" >&2
}

# What stands in the tokens with which a managed identity of this cloud vouches; Entra compares it letter by letter.
case $(az cloud show --query name --output tsv) in
  AzureUSGovernment) issuer=$login/$tenant/v2.0 audience=api://AzureADTokenExchangeUSGov ;;
  AzureChinaCloud) issuer=https://login.partner.microsoftonline.cn/$tenant/v2.0 audience=api://AzureADTokenExchangeChina ;;
  *) issuer=$login/$tenant/v2.0 audience=api://AzureADTokenExchange ;;
esac

# client id, condition -> id of a federated credential of this registration that meets it
trusted() { az ad app federated-credential list --id "$1" --query "[?$2].id | [0]" --output tsv; }

federation() {
  local id name stale wanted
  : "${IDENTITY_PRINCIPAL_ID:?is an output of the deployment}"
  wanted=$(jq -n --arg name "managed-identity-${IDENTITY_PRINCIPAL_ID%%-*}" --arg issuer "$issuer" \
    --arg subject "$IDENTITY_PRINCIPAL_ID" --arg audience "$audience" \
    '{name: $name, issuer: $issuer, subject: $subject, audiences: [$audience]}')
  for name in $identities; do
    id=$(application "$api-$name")
    [ -n "$id" ] || { echo "There is no registration $api-$name: run 'registrations' first" >&2; exit 1; }
    stale=$(trusted "$id" "subject=='$IDENTITY_PRINCIPAL_ID'")
    if [ -z "$stale" ]; then
      az ad app federated-credential create --id "$id" --output none --parameters "$wanted"
    elif [ -z "$(trusted "$id" "subject=='$IDENTITY_PRINCIPAL_ID' && issuer=='$issuer' && audiences[0]=='$audience'")" ]; then
      az ad app federated-credential update --id "$id" --federated-credential-id "$stale" --output none \
        --parameters "$wanted"
    fi
    echo "$api-$name trusts the managed identity $IDENTITY_PRINCIPAL_ID"
  done
}

# The secret goes from one program to the next; it is no argument, and no file holds it.
stored() {
  az ad app credential reset --id "$1" --append --years 1 --display-name "$2-$(date -u +%Y%m%d)" \
    --query password --output tsv --only-show-errors | tr -d '\n' |
    az keyvault secret set --vault-name "$KEY_VAULT_NAME" --name "$2" --file /dev/stdin --encoding utf-8 \
      --expires "$(date -u -d '+1 year' +%Y-%m-%dT%H:%M:%SZ)" --output none
  echo "$2 is in $KEY_VAULT_NAME; remove the older secrets of $1 when /api/readiness is green"
}

secrets() {
  : "${KEY_VAULT_NAME:?is an output of the deployment}"
  stored "$(application "$api-embed")" "powerbi-embed"
  stored "$(application "$api-operations")" "powerbi-operations"
  echo "The app uses them where its settings say secret:powerbi-embed and secret:powerbi-operations (*.bicepparam)" >&2
}

case $step in
  registrations | federation | secrets) "$step" ;;
  *) usage ;;
esac
