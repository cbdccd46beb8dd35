"""The storage account: the real Azurite, what a deployment creates in it, Event Grid for what lands there."""
