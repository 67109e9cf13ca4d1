"""A job's parameters: values of their types, and the same ones in SQL."""
