"""The steps of a provisioning workflow: `workspace`, `capacity`, `storageFormat`, `access`."""
