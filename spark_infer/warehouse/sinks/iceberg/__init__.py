"""Tables of Iceberg: rows are staged on a branch, which then becomes the table."""
