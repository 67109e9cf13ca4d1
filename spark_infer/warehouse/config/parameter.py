"""A parameter of a job."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from spark_infer.warehouse.values import Section, read
from spark_infer.warehouse.values.unquoted import is_null

ParameterType = Literal["string", "int", "float", "bool", "date", "timestamp", "timestamp_ntz"]


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
