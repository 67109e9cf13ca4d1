"""Where a job's predictions and reports go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from spark_infer.bundle.places import is_uri
from spark_infer.errors import ConfigError
from spark_infer.warehouse.config.target.jdbc import JdbcConfig
from spark_infer.warehouse.values import Section, SqlText
from spark_infer.warehouse.values.identifiers import identifiers

BESIDE = "_predictions"
"""What the name of the table beside a source ends with."""
JOINED = "_scored"
"""What the name of the view of both ends with."""


class TargetConfig(Section):
    """Where the predictions go."""

    into: Literal["table", "source"] = Field(
        "table",
        description="table: the predictions stand in a table of their own. source: they become "
        "columns of source.table. In mode merge they are columns of that table itself, which must "
        "be one of Iceberg, and are updated by key. In the other modes they stand in a table "
        "beside it, and a view joins both.",
    )
    table: str = Field(
        description="Table to write; created when missing. Default with into: source: the source's "
        f"name with {BESIDE}."
    )
    view: str | None = Field(
        None,
        description="With into: source, the view that joins the source with the table beside it, "
        f"in Spark's own catalog. Default: the source's name with {JOINED}.",
    )
    jdbc: JdbcConfig | None = Field(
        None,
        description="The database that has the table ([schema.]table, as PostgreSQL reads names), "
        "where no catalog of Spark does.",
    )
    format: str = Field(
        "parquet",
        description="Format of a table that is created, which must give back what was written: "
        "parquet, orc, avro, delta or iceberg.",
    )
    mode: Literal["overwrite", "append", "merge"] = Field(
        "overwrite",
        description="overwrite replaces the partitions that the run has rows for, and empties "
        "those that source.filter and rows are about and the source has no rows for; it stops "
        "where these hold rows that do not meet the conditions (as far as those are about the key "
        "and kept columns), which would be lost. append scores and adds the rows whose keys the "
        "table does not have; others are not looked at. merge updates the rows whose keys the "
        "table has and adds the others, by MERGE, for which its catalog must have row-level SQL "
        "(Iceberg; Delta and Hudi are not tested), or in PostgreSQL by a unique index. A second "
        "run of the same rows gives the same table.",
    )
    partition_by: tuple[str, ...] = Field(
        (), description="Partition columns, of key and keep. Needed for overwrite."
    )
    partitions: SqlText | None = Field(
        None,
        description="SQL condition on the partition columns, with parameters: which partitions "
        "the run is about (day = :date), where source.filter and rows do not tell. Those that it "
        "has no rows for are emptied, and a row outside of them stops the run.",
    )
    delete_missing: bool = Field(
        False,
        description="Of a merge: whether rows are deleted whose keys have left the source. They "
        "are looked for among those that the run is about: all, or those that meet source.filter "
        "and rows, which must be about key and kept columns, or target.partitions.",
    )
    keep: tuple[str, ...] = Field((), description="Columns to carry beside the key.")
    writer: Literal["auto", "jvm"] = Field(
        "auto",
        description="Who writes the files: auto, the Python workers where these come out as Spark "
        "would write them, which spares the predictions the way back; jvm, Spark.",
    )

    @model_validator(mode="after")
    def _overwrite_needs_partitions(self) -> TargetConfig:
        replaces_all = self.jdbc is not None and self.jdbc.replace_all
        if replaces_all and (self.mode != "overwrite" or self.partition_by):
            raise ValueError("jdbc.replace_all belongs to mode overwrite without partition_by")
        if self.mode == "overwrite" and not self.partition_by and not replaces_all:
            raise ValueError(
                "mode overwrite needs partition_by, or it would replace the whole table; name the "
                "partition columns or use mode append"
            )
        if self.mode == "append" and self.partitions is not None:
            raise ValueError("partitions belongs to mode overwrite; append empties none")
        if self.partitions is not None and not self.partition_by:
            raise ValueError("partitions is about partition_by; name the partition columns there")
        if self.mode != "merge" and self.delete_missing:
            raise ValueError(
                f"delete_missing belongs to mode merge; {self.mode} deletes no single rows"
            )
        return self

    @model_validator(mode="after")
    def _fits_a_source(self) -> TargetConfig:
        if self.into == "table":
            if self.view is not None:
                raise ValueError("view joins the source with its predictions; say into: source")
            return self
        if self.jdbc is not None:
            raise ValueError("into: source is for tables of Spark's catalogs, and jdbc names none")
        if self.is_in_source and self.delete_missing:
            raise ValueError("delete_missing would delete rows of the source; leave it out")
        columns = [key for key in ("keep", "partition_by", "view") if getattr(self, key)]
        if self.is_in_source and columns:
            raise ValueError(
                f"{columns[0]} is for a table beside the source, and mode merge changes the source "
                "itself, which has its own columns; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _fits_a_database(self) -> TargetConfig:
        if self.jdbc is not None:
            try:
                identifiers(self.table, most=2)
            except ValueError as error:
                raise ValueError(f"table {error}") from None
            for key in ("format", "writer"):
                if key in self.model_fields_set:
                    raise ValueError(f"{key} is for tables of files, and jdbc has none")
        return self

    @property
    def is_in_source(self) -> bool:
        """Whether the predictions are columns of the source's own table."""
        return self.into == "source" and self.mode == "merge"


def with_names(target: Mapping[str, Any], source: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the target's section with the names that it gets from the source.

    Args:
        target: The section as the job file has it.
        source: The section of the source.

    Raises:
        ValueError: The source has no name, or the target has one that cannot be.
    """
    if target.get("into") != "source":
        return target
    table = source.get("table")
    if not isinstance(table, str):
        raise ValueError("target.into: source needs source.table; a folder has no columns to add")
    if target.get("mode") == "merge":
        if target.get("table", table) != table:
            raise ValueError(
                "target.table: with into: source and mode merge the target is source.table; leave "
                "it out"
            )
        return {**target, "table": table}
    return {"table": _suffixed(table, BESIDE), "view": _suffixed(table, JOINED), **target}


def _suffixed(table: str, suffix: str) -> str:
    quote = "`" if table.endswith("`") else ""
    return f"{table.removesuffix(quote) if quote else table}{suffix}{quote}"


class ReportConfig(Section):
    """Where the run report goes."""

    path: str = Field(
        "reports",
        description="Directory for one JSON file a run, or its URI (s3://bucket/reports).",
    )
    html: bool = Field(True, description="Whether a page for a person is written beside it.")

    @field_validator("path")
    @classmethod
    def _shows_no_secret(cls, value: str) -> str:
        is_uri(value, name="report.path", error=ConfigError)
        return value
