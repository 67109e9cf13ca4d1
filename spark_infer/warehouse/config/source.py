"""Where a job's rows come from."""

from __future__ import annotations

import warnings
from typing import Literal

from pydantic import Field, model_validator

from spark_infer.warehouse.values import Section, SqlText, WrittenText

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
            description="Spark reader options for the files, as written: header: true. Unless they "
            "say otherwise, a value of csv and json that is not of its column's type stops the run "
            "(mode: PERMISSIVE takes null for it), and so does a csv header that is not as the "
            "columns are (enforceSchema: true takes them by position).",
        )
        schema: str | None = Field(  # type: ignore[assignment]  # pydantic's, see above
            None,
            description="Columns of the files as SQL declares them: id BIGINT, amount DOUBLE, in "
            "the order of the header for csv, in the spelling of the keys for json. Default: what "
            "the files say, which for csv is nothing but text.",
        )
        filter: SqlText | None = Field(
            None,
            description="SQL condition on the source's columns: which rows are read. Window "
            "features see these rows and no others.",
        )
        scan: Literal["auto", "direct", "jvm"] = Field(
            "auto",
            description="Who reads the rows that are scored: direct, the Python workers from the "
            "Parquet files, which is faster; jvm, Spark; auto, the workers where the rows are the "
            "same for sure. The report says who did, and why.",
        )

        @model_validator(mode="after")
        def _one_place(self) -> SourceConfig:
            if (self.table is None) == (self.path is None):
                raise ValueError("give exactly one of table and path")
            if self.table is not None and self.schema is not None:
                raise ValueError("schema is for files, and a table has its own; leave it out")
            return self

        @property
        def described(self) -> str:
            """What is read, in words."""
            place = self.table or f"{self.format} files in {self.path}"
            return f"{place} where {self.filter}" if self.filter else place
