"""The source: read as it is there, and refused where Spark would read something else."""

from __future__ import annotations
