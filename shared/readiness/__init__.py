"""Could the app do its work now? What is looked at (`checks`), and how it is run and told (`report`)."""
