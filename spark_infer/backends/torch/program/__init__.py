"""Models of format ``export``: traced when saved, kept as JSON, built into a module at load."""
