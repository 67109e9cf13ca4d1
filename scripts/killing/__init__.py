"""Jobs whose drivers are killed at random moments, behind ``scripts/chaos.py``."""
