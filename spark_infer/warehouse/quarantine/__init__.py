"""The rows that got no prediction, in a table of their own."""

from __future__ import annotations

from spark_infer.warehouse.quarantine.quarantine import Quarantine

__all__ = ["Quarantine"]
