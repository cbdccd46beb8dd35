"""Embed tokens: which application may open which reports and as whom, and the narrowest token for it."""
