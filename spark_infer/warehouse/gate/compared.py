"""A column's distribution beside that which it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spark_infer.bundle.profile import Distribution, ks, psi


def compared_column(
    name: str,
    kind: str,
    now: Distribution,
    before: Distribution | None,
    labels: Sequence[str] | None,
) -> dict[str, Any]:
    """Return both as JSON data, and the distances between them.

    Args:
        name: The column.
        kind: ``output`` or ``feature``.
        now: Its distribution.
        before: That of the reference, with the same cut points; None without one.
        labels: Of an output with labels, what each bin is.
    """
    return {
        "column": name,
        "kind": kind,
        "labels": list(labels or ()),
        "now": now.to_json(),
        "reference": None if before is None else before.to_json(),
        "psi": None if before is None else psi(before, now, by_label=labels is not None),
        "ks": None if before is None else ks(before, now),
    }
