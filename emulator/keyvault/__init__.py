"""Azure Key Vault: `service` answers, `store` is what lies in it."""
