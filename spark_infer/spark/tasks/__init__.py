"""What tasks do: they predict rows, draw some, and count."""
