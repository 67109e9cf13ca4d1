"""The columns that models read, found in a DataFrame and sent to Python."""
