"""Runs that end in time: which rows come first, and what becomes of the rest."""

from __future__ import annotations

from spark_infer.warehouse.deadline.deadline import Deadline

__all__ = ["Deadline"]
