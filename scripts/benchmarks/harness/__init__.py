"""How contenders are run, where, and what is told of it."""
