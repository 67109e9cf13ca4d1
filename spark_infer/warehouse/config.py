"""The job file's contents. ``spark-infer reference`` prints this as documentation."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from spark_infer.backends import Precision
from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.engine import BatchOptions
from spark_infer.errors import ConfigError
from spark_infer.spark.names import Names
from spark_infer.warehouse.values import Section, SqlText, WrittenText, read
from spark_infer.warehouse.values.unquoted import is_null

ParameterType = Literal["string", "int", "float", "bool", "date", "timestamp", "timestamp_ntz"]
LINEAGE_COLUMNS = ("bundle_name", "bundle_digest", "run_id", "scored_at")


_PARAMETER_NAME = re.compile(r"(?!.*__)[A-Za-z_][A-Za-z0-9_]*")
_JOB_NAME = re.compile(r"[^/\s][^/]{0,99}")
_SPARK_KEY = re.compile(r"(?!spark\.spark\.)[^.\s]+(\.[^.\s]+)+")
_DIGEST = re.compile("[0-9a-f]{64}")


class ParameterConfig(Section):
    """A parameter that ``filter`` and ``rows`` use as ``:name``."""

    type: ParameterType = Field(
        "string",
        description="string, int, float, bool, date, timestamp or timestamp_ntz. A timestamp "
        "without an offset is read in spark.sql.session.timeZone; a timestamp_ntz is compared with "
        "columns that have no zone.",
    )
    default: Any = Field(
        None,
        description="Value when none is given; without it, one must be. Text that YAML takes for "
        "something else, such as NO or 0123, needs quotes.",
    )
    description: str = Field("", description="What the parameter means, for error messages.")

    @field_validator("default", mode="before")
    @classmethod
    def _of_its_type(cls, value: Any, info: ValidationInfo) -> Any:
        if is_null(value):
            raise ValueError("is null; leave the key out, or quote the text")
        kind = info.data.get("type")
        return value if value is None or kind is None else read(kind, value)


with warnings.catch_warnings():
    # What pydantic calls schema, and advises against, is in the way.
    warnings.filterwarnings("ignore", message='Field name "schema"')

    class SourceConfig(Section):
        """Where the rows come from: a table, or files."""

        table: str | None = Field(None, description="Catalog table, [catalog.][database.]table.")
        path: str | None = Field(None, description="File or directory, instead of a table.")
        format: str = Field("parquet", description="Format of the files: parquet, orc, json, csv.")
        options: dict[str, WrittenText] = Field(
            default_factory=dict,
            description="Spark reader options for the files, as written: header: true.",
        )
        schema: str | None = Field(  # type: ignore[assignment]  # pydantic's, see above
            None,
            description="Columns of the files as SQL declares them: id BIGINT, amount DOUBLE. "
            "Default: what the files say, which for csv is nothing but text.",
        )
        filter: SqlText | None = Field(
            None,
            description="SQL condition on the source's columns: which rows are read. Window "
            "features see these rows and no others.",
        )

        @model_validator(mode="after")
        def _one_place(self) -> SourceConfig:
            if (self.table is None) == (self.path is None):
                raise ValueError("give exactly one of table and path")
            if self.table is not None and self.schema is not None:
                raise ValueError("schema is for files, and a table has its own; leave it out")
            return self


class BundleConfig(Section):
    """The model."""

    path: str = Field(description="Directory of the bundle.")
    digest: WrittenText | None = Field(
        None,
        description="Digest that the bundle must have (64 hexadecimal digits, see spark-infer "
        "inspect). Another bundle stops the run before Spark starts.",
    )
    allow_modules: tuple[str, ...] = Field(
        (), description="Import paths that a bundle of format 'module' may load code from."
    )

    @field_validator("digest")
    @classmethod
    def _is_digest(cls, value: str | None) -> str | None:
        folded = value and value.lower()
        if folded is not None and not _DIGEST.fullmatch(folded):
            raise ValueError(
                f"must be the 64 hexadecimal digits that spark-infer inspect shows, got {value!r}"
            )
        return folded


class BatchConfig(Section):
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
        0.05,
        description="Share of the run's rows, rounded up to a whole row, that may get no "
        "prediction, for whatever reason; with more, nothing is written. Scoring stops as soon as "
        "the model fails on that share of a task's rows, from 1,000 rows on.",
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


class TargetConfig(Section):
    """Where the predictions go."""

    table: str = Field(description="Table to write; created when missing.")
    format: str = Field(
        "parquet",
        description="Format of a table that is created, which must give back what was written: "
        "parquet, orc, avro, delta or iceberg.",
    )
    mode: Literal["overwrite", "append"] = Field(
        "overwrite",
        description="overwrite replaces the partitions that the run has rows for and no others, "
        "and stops where others that source.filter and rows name would keep predictions of rows "
        "that have left the source; append adds the rows whose keys the table does not have. "
        "Either way a second run of the same rows gives the same table.",
    )
    partition_by: tuple[str, ...] = Field(
        (), description="Partition columns, of key and keep. Needed for overwrite."
    )
    keep: tuple[str, ...] = Field((), description="Columns to carry beside the key.")

    @model_validator(mode="after")
    def _overwrite_needs_partitions(self) -> TargetConfig:
        if self.mode == "overwrite" and not self.partition_by:
            raise ValueError(
                "mode overwrite needs partition_by, or it would replace the whole table; name the "
                "partition columns or use mode append"
            )
        return self


class ReportConfig(Section):
    """Where the run report goes."""

    path: str = Field("reports", description="Directory for one JSON file a run.")


class JobConfig(Section):
    """A scoring job."""

    name: str = Field(
        description="Name of the job, in Spark and in the names of the reports' files."
    )
    parameters: dict[str, ParameterConfig] = Field(
        default_factory=dict,
        description="Values that a run is given, by name: --set date=2018-08-08, or "
        "SPARK_INFER_SET_DATE in the environment, which jobs without that parameter ignore.",
    )
    source: SourceConfig = Field(description="Where the rows come from.")
    key: tuple[str, ...] = Field(
        min_length=1, description="Columns that identify a row; never null, never repeated."
    )
    features: dict[str, SqlText] = Field(
        default_factory=dict,
        description="SQL expressions of derived columns, one value for each row, computed before "
        "the bundle's own and with the job's rights. One with the name of a source column takes "
        "its place; a feature of the bundle takes no column's.",
    )
    rows: SqlText | None = Field(
        None,
        description="SQL condition on the source's columns and the job's features: which rows are "
        "scored. Default: all.",
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
    spark: dict[str, WrittenText] = Field(
        default_factory=dict,
        description="Spark configuration as written, where spark-submit did not set it. In a "
        "session that is given to the run, settings of SQL are set for the run, those of its start "
        "must be so, and memory, cores, jars and the like are the session's. A setting that starts "
        "with spark. is the key itself: --set spark.sql.shuffle.partitions=8.",
    )

    @field_validator("name")
    @classmethod
    def _names_a_file(cls, value: str) -> str:
        if not value.isprintable() or not _JOB_NAME.fullmatch(value):
            raise ValueError(
                f"{value!r} must be up to 100 printable characters without /: reports are files "
                "of that name"
            )
        return value

    @field_validator("parameters")
    @classmethod
    def _are_names(cls, value: dict[str, ParameterConfig]) -> dict[str, ParameterConfig]:
        folded: dict[str, str] = {}
        for name in value:
            if not _PARAMETER_NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} must consist of letters, digits and single underscores, "
                    "so that SQL can say :name and the environment can set it"
                )
            other = folded.setdefault(name.casefold(), name)
            if other != name:
                raise ValueError(f"{other!r} and {name!r} differ in case only; rename one")
        return value

    @field_validator("spark")
    @classmethod
    def _are_keys(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            name = key.strip(". ")
            while name.startswith("spark."):
                name = name.removeprefix("spark.")
            if not _SPARK_KEY.fullmatch(key):
                hint = f"; did you mean 'spark.{name}'?" if name not in ("", "spark") else ""
                raise ValueError(f"{key!r} is no key of Spark{hint}")
        return value

    @model_validator(mode="after")
    def _columns_fit(self) -> JobConfig:
        try:
            # What is wrong by any rule; the session's rule is known when the job runs.
            self._check_distinct(Names(case_sensitive=True), ())
            self._check_partitions(Names(case_sensitive=False))
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def check_columns(self, names: Names, outputs: Sequence[str]) -> None:
        """Prove that the columns of the target have different names.

        Args:
            names: The rule by which they differ.
            outputs: Names of the bundle's outputs.

        Raises:
            ConfigError: Two have the same name, or a partition column is none of them.
        """
        self._check_distinct(names, outputs)
        self._check_partitions(names)

    def _check_distinct(self, names: Names, outputs: Sequence[str]) -> None:
        names.check_distinct(
            {
                "column of the job": (*LINEAGE_COLUMNS, REASON_COLUMN),
                "prediction column": outputs,
                "key column": self.key,
                "target.keep column": self.target.keep,
            },
            hint="give a source column another name with a feature, a prediction column another "
            "one when the bundle is saved",
        )
        names.check_distinct({"feature": self.features}, hint="remove one of them")
        names.check_distinct(
            {"target.partition_by column": self.target.partition_by}, hint="remove one of them"
        )

    def _check_partitions(self, names: Names) -> None:
        carried = [*self.key, *self.target.keep]
        for column in self.target.partition_by:
            if not names.find(column, carried):
                raise ConfigError(
                    f"target.partition_by: {column!r} must be one of key or target.keep ({carried})"
                )
