"""What a job file says, section by section."""

from __future__ import annotations

from spark_infer.warehouse.config.job import LINEAGE_COLUMNS, JobConfig
from spark_infer.warehouse.config.parameter import ParameterConfig
from spark_infer.warehouse.config.source import SourceConfig
from spark_infer.warehouse.config.target.target import TargetConfig

__all__ = ["LINEAGE_COLUMNS", "JobConfig", "ParameterConfig", "SourceConfig", "TargetConfig"]
