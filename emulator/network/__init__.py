"""How a client gets to an emulated host: the proxy that knows it, the certificate that names it, the server behind."""
