"""How an identity of the app proves itself: a module for each word that `POWERBI_…_CREDENTIAL` may say.

`kinds` is where they are told apart. `federated`, `certificate` and `secret` are the credentials of app registrations,
`managed_identity_tokens` does without a registration.
"""
