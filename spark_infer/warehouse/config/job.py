"""The job file's contents. ``spark-infer reference`` prints this as documentation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator, model_validator

from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import ConfigError
from spark_infer.spark.names import Names
from spark_infer.warehouse.config.batch import BatchConfig
from spark_infer.warehouse.config.bundle import BundleConfig
from spark_infer.warehouse.config.challenger import ChallengerConfig, check_challengers
from spark_infer.warehouse.config.deadline import EXIT_CODES, check_deadline, time_of_day
from spark_infer.warehouse.config.gate import CheckConfig, check_disagreements
from spark_infer.warehouse.config.parameter import ParameterConfig
from spark_infer.warehouse.config.source import SourceConfig
from spark_infer.warehouse.config.target.incremental import IncrementalConfig
from spark_infer.warehouse.config.target.quarantine import QUARANTINE_COLUMNS, QuarantineConfig
from spark_infer.warehouse.config.target.target import ReportConfig, TargetConfig, with_names
from spark_infer.warehouse.values import Section, SqlText, WrittenText

LINEAGE_COLUMNS = ("bundle_name", "bundle_digest", "run_id", "scored_at")
_PARAMETER_NAME = re.compile(r"(?!.*__)[A-Za-z_][A-Za-z0-9_]*")
_JOB_NAME = re.compile(r"[^/\s][^/]{0,99}")
_MAX_NAME_BYTES = 200
_SPARK_KEY = re.compile(r"(?!spark\.spark\.)[^.\s]+(\.[^.\s]+)+")


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
    challengers: dict[str, ChallengerConfig] = Field(
        default_factory=dict,
        description="Other models that predict the same rows in the same pass, by name; the report "
        "tells how far they differ from the one that is published. At most 3.",
    )
    batch: BatchConfig = Field(
        default_factory=lambda: BatchConfig.model_validate({}),
        description="How rows are cut into batches and where the model runs.",
    )
    deadline: WrittenText | None = Field(
        None,
        description="Time of day (02:30, in spark.sql.session.timeZone) after which no more rows "
        "are scored, the next such moment after the run's start. The rest is pending, and the next "
        "run completes it. Default: none.",
    )
    order_by: tuple[SqlText, ...] = Field(
        (),
        description="With deadline: which rows are scored first, as in ORDER BY: expressions of "
        "the source's columns and the job's features, such as amount DESC.",
    )
    deadline_exit: int = Field(
        0,
        description="With deadline: exit code of a run that has left rows pending: 0, 5, or 75, "
        "after which schedulers try again.",
    )
    target: TargetConfig = Field(description="Where the predictions go.")
    incremental: IncrementalConfig = Field(
        default_factory=lambda: IncrementalConfig.model_validate({}),
        description="Which of the rows are scored again, and what becomes of those that left.",
    )
    quarantine: QuarantineConfig | None = Field(
        None, description="Where the rows go that got no prediction. Default: nowhere else."
    )
    gate: tuple[CheckConfig, ...] = Field(
        (), description="Checks of what is staged, before it is published."
    )
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
        is_name = value.isprintable() and _JOB_NAME.fullmatch(value)
        if not is_name or len(value.encode()) > _MAX_NAME_BYTES:
            raise ValueError(
                f"{value!r} must be up to 100 printable characters ({_MAX_NAME_BYTES} bytes in "
                "UTF-8) without /: reports are files of that name"
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

    @field_validator("deadline")
    @classmethod
    def _is_time_of_day(cls, value: str | None) -> str | None:
        return None if value is None else time_of_day(value).isoformat("minutes")

    @field_validator("deadline_exit")
    @classmethod
    def _is_exit_code(cls, value: int) -> int:
        if value not in EXIT_CODES:
            raise ValueError(
                f"must be one of {', '.join(map(str, EXIT_CODES))}; got {value}, which means "
                "something else or nothing"
            )
        return value

    @field_validator("challengers")
    @classmethod
    def _are_challengers(cls, value: dict[str, ChallengerConfig]) -> dict[str, ChallengerConfig]:
        check_challengers(value)
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

    @model_validator(mode="before")
    @classmethod
    def _has_a_target(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        target, source = data.get("target"), data.get("source")
        if not isinstance(target, Mapping) or not isinstance(source, Mapping):
            return data
        return {**data, "target": with_names(target, source)}

    @model_validator(mode="after")
    def _columns_fit(self) -> JobConfig:
        try:
            # What is wrong by any rule; the session's rule is known when the job runs.
            self._check_distinct(Names(case_sensitive=True), ())
            self._check_partitions(Names(case_sensitive=False))
            self._check_watermark(Names(case_sensitive=False))
        except ConfigError as error:
            raise ValueError(str(error)) from None
        target = self.target
        if target.is_in_source and self.incremental.gone is not None:
            raise ValueError(
                f"incremental.gone {self.incremental.gone}: the target is the source itself, which "
                "has no rows that have left it; leave it out"
            )
        self.incremental.check_mode(target.mode, delete_missing=target.delete_missing)
        if target.jdbc is not None and self.incremental.is_on:
            raise ValueError(
                "incremental compares the source with a table of a catalog, and target.jdbc is a "
                "database: leave incremental out, which scores all rows, or have the job write to "
                "a table and copy that to the database"
            )
        check_disagreements(self.gate, self.challengers)
        check_deadline(self)
        are_published = any(not challenger.shadow for challenger in self.challengers.values())
        if are_published and self.incremental.is_on and target.mode != "append":
            raise ValueError(
                "incremental leaves rows of the target as they are, with what another challenger "
                "may have said of them; give each challenger shadow: true, or leave incremental out"
            )
        return self

    def check_columns(
        self, names: Names, outputs: Sequence[str], others: Sequence[str] = ()
    ) -> None:
        """Prove that the columns of the target have different names.

        Args:
            names: The rule by which they differ.
            outputs: Names of the bundle's outputs.
            others: Names of the columns of challengers.

        Raises:
            ConfigError: Two have the same name, or a partition column is none of them.
        """
        self._check_distinct(names, outputs, others)
        self._check_partitions(names)
        self._check_watermark(names)

    def _check_distinct(
        self, names: Names, outputs: Sequence[str], others: Sequence[str] = ()
    ) -> None:
        names.check_distinct(
            {
                "column of the job": (
                    *self.incremental.columns(self.target.mode),
                    *LINEAGE_COLUMNS,
                    REASON_COLUMN,
                ),
                "prediction column": outputs,
                "challenger's column": others,
                "key column": self.key,
                "target.keep column": self.target.keep,
            },
            hint="give a source column another name with a feature, a prediction column another "
            "one when the bundle is saved, a challenger another one in the job file",
        )
        if self.quarantine is not None:
            names.check_distinct(
                {
                    "column of the quarantine": (*QUARANTINE_COLUMNS, *LINEAGE_COLUMNS),
                    "key column": self.key,
                    "target.keep column": self.target.keep,
                },
                hint="give the source column another name with a feature",
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

    def _check_watermark(self, names: Names) -> None:
        column, carried = self.incremental.column, [*self.key, *self.target.keep]
        if column is not None and not names.find(column, carried):
            raise ConfigError(
                f"incremental.column: {column!r} must be one of key or target.keep ({carried}), so "
                "that the target tells how far it has come"
            )
