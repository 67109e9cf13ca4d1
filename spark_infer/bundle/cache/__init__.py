"""Where this user's processes keep verified bundles, by digest, for all of them."""
