"""Tables of files in Spark's own catalog: staged in their folders, published by the catalog."""
