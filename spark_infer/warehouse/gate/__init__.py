"""The gate: what is staged is compared with limits, with a profile, and with the run before."""

from __future__ import annotations

from spark_infer.warehouse.gate.columns import check_columns
from spark_infer.warehouse.gate.disagreement import check_compared
from spark_infer.warehouse.gate.run_gate import RunGate, command_arguments

__all__ = ["RunGate", "check_columns", "check_compared", "command_arguments"]
