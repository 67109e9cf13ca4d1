"""What a model that answers must not let its answers depend on."""

from __future__ import annotations

from spark_infer.engine.proof.checks.history import check_history
from spark_infer.engine.proof.checks.neighbors import check_neighbors
from spark_infer.engine.proof.checks.repeats import check_repeats

__all__ = ["check_history", "check_neighbors", "check_repeats"]
