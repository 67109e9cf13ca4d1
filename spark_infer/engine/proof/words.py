"""Rows in the words of a message."""

from __future__ import annotations

import pyarrow as pa


def shown_row(source: pa.RecordBatch | pa.Table, row: int) -> str:
    """Return one row as text, long values shortened."""
    (values,) = source.slice(row, 1).to_pylist()
    return "{" + ", ".join(f"{name!r}: {_short(value)}" for name, value in values.items()) + "}"


def _short(value: object) -> str:
    if isinstance(value, list) and len(value) > 3:
        return f"[{', '.join(_short(item) for item in value[:3])}, ... {len(value)} items]"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
