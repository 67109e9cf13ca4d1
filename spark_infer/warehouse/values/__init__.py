"""Values as they were written, read as what was declared."""

from __future__ import annotations

from spark_infer.warehouse.values.kinds import KINDS, read
from spark_infer.warehouse.values.section import MisplacedError, Section, SqlText, WrittenText
from spark_infer.warehouse.values.unquoted import Unquoted, shown

__all__ = [
    "KINDS",
    "MisplacedError",
    "Section",
    "SqlText",
    "Unquoted",
    "WrittenText",
    "read",
    "shown",
]
