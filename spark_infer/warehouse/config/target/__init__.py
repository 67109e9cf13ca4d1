"""Where predictions go, and which rows are written there."""
