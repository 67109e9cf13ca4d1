"""All rows of an input: of one shape, of any length, or not made yet."""
