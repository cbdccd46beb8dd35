"""The main job, end to end, as a newcomer would want to watch it: `make demo`."""
