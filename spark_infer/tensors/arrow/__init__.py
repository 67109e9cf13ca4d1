"""What lies in Arrow columns: their types, nested lists and flat values."""
