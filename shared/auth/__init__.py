"""Who calls us, and who we are.

Callers: `callers` verifies an access token, `bearer` takes it apart before that, `signing_keys` has the keys of Entra.

The app itself: `tokens` keeps the access tokens of its identities, an `issuer` gets new ones; `client_credentials` does
that for app registrations, which prove themselves by one of `credentials`. `managed_identity` is what the app is in
Azure, `vault` what that may read, `own_identity` what our own tokens say of us.

`entra_http` is the way to Entra, `msal_http` lets MSAL take it; `entra_errors` and `vault_errors` say what refusals
mean and what to do about them.
"""
