"""Why a worker cannot read a table's files by itself."""

from __future__ import annotations


class NotDirect(Exception):
    """Spark has to read the rows; the text says why, as the rest of a sentence."""
