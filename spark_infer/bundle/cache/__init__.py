"""Where this user's processes keep verified bundles, by digest, for all of them."""

from __future__ import annotations

from spark_infer.bundle.cache.directory import CACHE_VARIABLE, cache_directory
from spark_infer.bundle.cache.entry import cached

__all__ = ["CACHE_VARIABLE", "cache_directory", "cached"]
