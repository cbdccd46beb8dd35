"""The Power BI REST API: one transport, one small module for each resource, only what is used."""
