"""Tables that are written by SQL: those of other catalogs, and those that Spark must lay out."""
