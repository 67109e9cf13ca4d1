"""A bundle's files: listed and opened with care, digested, and watched for changes."""
