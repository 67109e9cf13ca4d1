"""Where the rows go that got no prediction."""

from __future__ import annotations

from pydantic import Field, model_validator

from spark_infer.warehouse.values import Section

JOB_COLUMN = "job"
STAGE_COLUMN, KIND_COLUMN = "reason_stage", "reason_kind"
VALUES_COLUMN = "model_values"
AT_COLUMN = "rejected_at"
QUARANTINE_COLUMNS = (JOB_COLUMN, STAGE_COLUMN, KIND_COLUMN, VALUES_COLUMN, AT_COLUMN)
"""Columns that a table of such rows has beside key, kept columns and those of any target."""


class QuarantineConfig(Section):
    """Where the rows go that got no prediction: a table with one row for each of them."""

    table: str = Field(
        description="Table of the rows that have no prediction: job, key, kept columns, "
        "reason_stage, reason_kind, rejected_reason, model_values (JSON of what the model reads), "
        "bundle_digest, run_id, rejected_at. Created when missing. A row leaves it when a run "
        "scores it. Several jobs of one key may share it."
    )
    format: str = Field("parquet", description="Format of a table that is created.")
    max_rows: int | None = Field(
        None,
        description="Rows of a run that may get no prediction, beside batch.max_rejected_share; "
        "with more, nothing is written. Default: no such number.",
    )

    @model_validator(mode="after")
    def _is_in_range(self) -> QuarantineConfig:
        if self.max_rows is not None and self.max_rows < 0:
            raise ValueError(f"max_rows is not negative, got {self.max_rows}")
        return self
