"""A small Functions host: runs the triggers of a `function_app.py` as Azure Functions does, as far as it matters."""
