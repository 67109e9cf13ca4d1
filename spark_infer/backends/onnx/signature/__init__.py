"""The signature of a graph: inferred where columns are named, checked where it was given."""
