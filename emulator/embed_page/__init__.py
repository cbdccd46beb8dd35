"""What stands behind an embed URL: the page that powerbi-client puts into an iframe, and the data that it asks for."""
