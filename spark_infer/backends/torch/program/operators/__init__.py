"""The operators that a stored program may call, and what each is given."""
