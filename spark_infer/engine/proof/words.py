"""Rows in the words of a message."""

from __future__ import annotations

import pyarrow as pa

from spark_infer.engine.proof.answers import Trial
from spark_infer.errors import SignatureError
from spark_infer.tensors import Decoded


def shown_row(source: pa.RecordBatch | pa.Table, row: int) -> str:
    """Return one row as text, long values shortened."""
    (values,) = source.slice(row, 1).to_pylist()
    return "{" + ", ".join(f"{name!r}: {_short(value)}" for name, value in values.items()) + "}"


def dependence(
    source: pa.RecordBatch | pa.Table,
    decoded: Decoded,
    trial: Trial,
    row: int,
    found: tuple[str, str, str],
) -> SignatureError:
    """Return the error for a row that a model answers otherwise in a batch than alone.

    Args:
        source: The rows as columns.
        decoded: The rows as arrays.
        trial: The batch.
        row: The row.
        found: The output, its value alone and in the batch.
    """
    output, one, other = found
    ragged = decoded.signature.ragged
    padded = [
        f"{longest} positions of {name!r}"
        for name, longest in decoded.longest(trial.tensors(decoded)).items()
        if longest > max(1, decoded.lengths(name)[row])
    ]
    what = f"the row {shown_row(source, row)}: {output!r} is {one} alone and {other}"
    if padded:
        masks = [item.mask_tensor.name for item in ragged if item.mask_tensor is not None]
        mask = f"use {' and '.join(masks)}" if masks else "give the input mask=True and use it"
        return SignatureError(
            f"the bundle is not saved: what the model makes of a row depends on its padding, "
            f"{what} padded to {' and '.join(padded)}; {mask} wherever positions are summed, "
            "averaged, normalized or picked, give the input pad_to=LENGTH if the model was "
            "trained on one length, or pass row_independent=False to run rows one by one"
        )
    return SignatureError(
        f"the bundle is not saved: what the model makes of a row depends on the rows beside "
        f"it, {what} in a batch of {len(trial.rows)} rows; let forward() treat each row by itself, "
        "or pass row_independent=False to run rows one by one"
    )


def _short(value: object) -> str:
    if isinstance(value, list) and len(value) > 3:
        return f"[{', '.join(_short(item) for item in value[:3])}, ... {len(value)} items]"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
