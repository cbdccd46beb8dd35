"""What we accept and answer, described from the models that validate. Used at build time only: `make schemas`."""
