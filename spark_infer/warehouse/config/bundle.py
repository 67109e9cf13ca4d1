"""A job's model."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, field_validator

from spark_infer.bundle.places import is_uri
from spark_infer.errors import ConfigError
from spark_infer.warehouse.values import Section, WrittenText

_DIGEST = re.compile("[0-9a-f]{64}")


class BundleConfig(Section):
    """The model."""

    path_key: ClassVar[str] = "bundle.path"
    """What messages call the key of its path."""

    path: str = Field(description="Directory of the bundle, or its URI (s3://bucket/fraud).")
    digest: WrittenText | None = Field(
        None,
        description="Digest that the bundle must have (64 hexadecimal digits, see spark-infer "
        "inspect). Another bundle stops the run before Spark starts.",
    )
    allow_modules: tuple[str, ...] = Field(
        (), description="Import paths that a bundle of format 'module' may load code from."
    )

    @field_validator("path")
    @classmethod
    def _shows_no_secret(cls, value: str) -> str:
        is_uri(value, name=cls.path_key, error=ConfigError)
        return value

    @field_validator("digest")
    @classmethod
    def _is_digest(cls, value: str | None) -> str | None:
        folded = value and value.lower()
        if folded is not None and not _DIGEST.fullmatch(folded):
            raise ValueError(
                f"must be the 64 hexadecimal digits that spark-infer inspect shows, got {value!r}"
            )
        return folded
