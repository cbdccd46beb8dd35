"""Starting and ending: every part in its order, the files that say where things are, the app in its host."""
