"""Models of format ``module``: their class is imported where they are loaded, with its weights."""
