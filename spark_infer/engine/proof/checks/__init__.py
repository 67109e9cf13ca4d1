"""What a model that answers must not let its answers depend on, and how it comes back."""

from __future__ import annotations

from spark_infer.engine.proof.checks.history import check_history
from spark_infer.engine.proof.checks.neighbors import check_neighbors
from spark_infer.engine.proof.checks.repeats import check_repeats
from spark_infer.engine.proof.checks.stored import check_stored

__all__ = ["check_history", "check_neighbors", "check_repeats", "check_stored"]
