"""What a run would do, found out from metadata and a sample."""

from __future__ import annotations
