"""The job file's contents. ``spark-infer reference`` prints this as documentation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from spark_infer.backends import Precision
from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.engine import BatchOptions
from spark_infer.errors import ConfigError

ParameterType = Literal["string", "int", "float", "bool", "date", "timestamp"]
LINEAGE_COLUMNS = ("bundle_name", "bundle_digest", "run_id", "scored_at")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParameterConfig(_Section):
    """A parameter that ``filter`` and ``rows`` use as ``:name``."""

    type: ParameterType = Field(
        "string", description="string, int, float, bool, date or timestamp."
    )
    default: Any = Field(None, description="Value when none is given; without it, one must be.")
    description: str = Field("", description="What the parameter means, for error messages.")


class SourceConfig(_Section):
    """Where the rows come from: a table, or files."""

    table: str | None = Field(None, description="Catalog table, [catalog.][database.]table.")
    path: str | None = Field(None, description="File or directory, instead of a table.")
    format: str = Field("parquet", description="Format of the files: parquet, orc, json, csv.")
    options: dict[str, str] = Field(
        default_factory=dict, description="Spark reader options for the files."
    )
    filter: str | None = Field(
        None,
        description="SQL condition on the source's columns: which rows are read. Window features "
        "see these rows and no others.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> SourceConfig:
        if (self.table is None) == (self.path is None):
            raise ValueError("give exactly one of table and path")
        return self


class BundleConfig(_Section):
    """The model."""

    path: str = Field(description="Directory of the bundle.")
    allow_modules: tuple[str, ...] = Field(
        (), description="Import paths that a bundle of format 'module' may load code from."
    )


class BatchConfig(_Section):
    """How rows are cut into batches, where the model runs, and what happens to rows that fail."""

    batch_size: int | Literal["auto"] = Field(
        "auto", description="Most rows that the model runs together; auto learns what is fastest."
    )
    max_tokens: int | None = Field(
        None, description="Most rows x padded length of a batch. Default: no limit, or learned."
    )
    pad_multiple: int = Field(1, description="Padded lengths are multiples of this.")
    bucket_edges: tuple[int, ...] = Field(
        (), description="Ascending lengths to pad to; longer rows follow pad_multiple."
    )
    window_rows: int = Field(32_768, description="Rows that are ordered by length together.")
    window_bytes: int = Field(64 * 2**20, description="Most bytes of input held together.")
    on_error: Literal["reject", "fail"] = Field(
        "reject",
        description="reject: a row on which the model fails gets no prediction, and a reason. "
        "fail: the first failure ends the run.",
    )
    max_rejected_share: float = Field(
        0.5, description="Share of a task's rows on which the model may fail, from 1,000 rows on."
    )
    max_bisections: int = Field(
        100_000, description="Batches that a task may run again to find the rows at fault."
    )
    dedupe: bool | Literal["auto"] = Field(
        "auto", description="Predict equal rows once; auto: while enough rows repeat to pay."
    )
    cache_bytes: int = Field(64 * 2**20, description="A worker's cache of predictions; 0: none.")
    overlap: bool | Literal["auto"] = Field(
        "auto", description="Read and pad in one thread, run in another; auto: on a GPU."
    )
    device: str = Field("cpu", description="cpu, cuda (the GPU that Spark gave the task), cuda:0.")
    precision: Precision = Field("float32", description="float32, bfloat16 or float16.")

    @model_validator(mode="after")
    def _is_in_range(self) -> BatchConfig:
        try:
            self.options()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def options(self) -> BatchOptions:
        """Return the options of the predictor."""
        return BatchOptions(**self.model_dump())


class TargetConfig(_Section):
    """Where the predictions go."""

    table: str = Field(description="Table to write; created when missing.")
    format: str = Field("parquet", description="Format of a table that is created.")
    mode: Literal["overwrite", "append"] = Field(
        "overwrite",
        description="overwrite replaces the partitions that the run touches and no others; append "
        "adds the rows whose keys the table does not have. Either way a second run of the same "
        "rows gives the same table.",
    )
    partition_by: tuple[str, ...] = Field(
        (), description="Partition columns, of key and keep. Needed for overwrite."
    )
    keep: tuple[str, ...] = Field((), description="Source columns to carry beside the key.")

    @model_validator(mode="after")
    def _overwrite_needs_partitions(self) -> TargetConfig:
        if self.mode == "overwrite" and not self.partition_by:
            raise ValueError(
                "mode overwrite needs partition_by, or it would replace the whole table; name the "
                "partition columns or use mode append"
            )
        return self


class ReportConfig(_Section):
    """Where the run report goes."""

    path: str = Field("reports", description="Directory for one JSON file a run.")


class JobConfig(_Section):
    """A scoring job."""

    name: str = Field(description="Name of the job, in reports and in Spark.")
    parameters: dict[str, ParameterConfig] = Field(
        default_factory=dict, description="Values that a run is given, by name."
    )
    source: SourceConfig = Field(description="Where the rows come from.")
    key: tuple[str, ...] = Field(
        min_length=1, description="Columns that identify a row; never null, never repeated."
    )
    features: dict[str, str] = Field(
        default_factory=dict,
        description="SQL expressions of derived columns, one value for each row, computed before "
        "the bundle's own and with the job's rights.",
    )
    rows: str | None = Field(
        None, description="SQL condition, after the features: which rows are scored. Default: all."
    )
    bundle: BundleConfig = Field(description="The model.")
    batch: BatchConfig = Field(
        default_factory=lambda: BatchConfig.model_validate({}),
        description="How rows are cut into batches and where the model runs.",
    )
    target: TargetConfig = Field(description="Where the predictions go.")
    report: ReportConfig = Field(
        default_factory=lambda: ReportConfig.model_validate({}),
        description="Where the run report goes.",
    )
    spark: dict[str, str] = Field(
        default_factory=dict,
        description="Spark configuration, where spark-submit did not set it.",
    )

    @field_validator("spark", mode="before")
    @classmethod
    def _as_strings(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {str(key): _spark_value(setting) for key, setting in value.items()}

    @model_validator(mode="after")
    def _columns_fit(self) -> JobConfig:
        carried = [*self.key, *self.target.keep]
        for column in self.target.partition_by:
            if column not in carried:
                raise ValueError(
                    f"target.partition_by: {column!r} must be one of key or target.keep ({carried})"
                )
        reserved = {*LINEAGE_COLUMNS, REASON_COLUMN}
        for column in carried:
            if column in reserved:
                raise ValueError(f"column {column!r} is written by the job; rename the source's")
        if len(set(carried)) != len(carried):
            raise ValueError(f"a column is named twice in key and target.keep: {carried}")
        return self


def _spark_value(setting: Any) -> str:
    return str(setting).lower() if isinstance(setting, bool) else str(setting)
