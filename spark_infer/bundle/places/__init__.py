"""Folders that are no local ones: read and written through pyarrow.fs."""

from __future__ import annotations

from spark_infer.bundle.places.place import Place, as_place, is_uri

__all__ = ["Place", "as_place", "is_uri"]
