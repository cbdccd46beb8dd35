"""Refreshes that landing data causes: as few as possible, each landed file covered, watched to the end."""
