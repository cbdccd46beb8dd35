"""The app's code. Every package here is explained by its own first line; `wiring` puts them together."""

__version__ = "0.1.0"
