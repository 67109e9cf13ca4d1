"""Whether a change made something slower: benchmarks of two checkouts, run in alternation."""
