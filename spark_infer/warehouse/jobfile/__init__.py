"""Job files: YAML and settings to a validated job configuration."""

from __future__ import annotations

from spark_infer.warehouse.jobfile.read import read_job
from spark_infer.warehouse.jobfile.settings import ENVIRONMENT_PREFIX

__all__ = ["ENVIRONMENT_PREFIX", "read_job"]
