#!/bin/sh
# Before azd provisions: the ids have to be there, and the stage's parameters become those that azd takes.
set -eu
cd "$(dirname "$0")/../.."
stage="${POWERBI_STAGE:-$AZURE_ENV_NAME}"
for name in POWERBI_TENANT_ID POWERBI_EMBED_CLIENT_ID POWERBI_OPERATIONS_CLIENT_ID API_CLIENT_ID API_AUDIENCE; do
  eval "value=\${$name:-}"
  [ -n "$value" ] || {
    echo "$name is not set: run infra/entra/setup.sh registrations, then azd env set $name ..." >&2
    exit 1
  }
done
[ -f "infra/$stage.bicepparam" ] || {
  echo "There is no infra/$stage.bicepparam: azd env set POWERBI_STAGE dev, test or prod" >&2
  exit 1
}
cp "infra/$stage.bicepparam" infra/main.bicepparam # the one that azd takes; git ignores it
