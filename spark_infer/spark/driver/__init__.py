"""The driver: its JVM, its catalog and its session."""
