"""Models that teams have, beside what their own libraries offer."""
