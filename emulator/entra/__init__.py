"""Microsoft Entra ID: `service` answers, `directory` is what it knows, the others are what the two are made of."""
