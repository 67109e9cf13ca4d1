"""How rows lie in files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True)
class Layout:
    """Which of a task's columns stand in its files, and how.

    The columns are those that the task returns, with the constants behind them.

    Attributes:
        folder: Where the files go, on the worker's own file system.
        constants: Values that all rows have.
        places: Places of the columns that stand in a file, in its order.
        schema: Names and types of these.
        partition: Places of the columns by which rows come into files of their own.
        reason: Place of ``rejected_reason``.
        key: Place of the key, where its ranges are looked at; None where they are not.
        compression: As pyarrow calls it.
        has_int96: Whether timestamps are stored as 96 bits.
        metadata: What the file says of itself.
    """

    folder: str
    constants: tuple[pa.Scalar, ...]
    places: tuple[int, ...]
    schema: pa.Schema
    partition: tuple[int, ...]
    reason: int
    key: int | None
    compression: str
    has_int96: bool
    metadata: Mapping[str, str] = field(default_factory=dict)
