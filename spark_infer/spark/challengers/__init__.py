"""Other models that predict the rows of a job beside its own, and how far they differ from it."""

from __future__ import annotations

from spark_infer.spark.challengers.challenger import Challenger, about, column_name
from spark_infer.spark.challengers.contest import Contest
from spark_infer.spark.challengers.disagreement import Difference, Disagreement, comparable

__all__ = [
    "Challenger",
    "Contest",
    "Difference",
    "Disagreement",
    "about",
    "column_name",
    "comparable",
]
