"""The rows of a run: what identifies them, where they are kept, and what they are missing."""
