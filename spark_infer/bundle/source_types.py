"""The types of source columns, where a bundle's features mean something for these only."""

from __future__ import annotations

from collections.abc import Iterable

from spark_infer.bundle.columns import check_name
from spark_infer.bundle.documents import shown
from spark_infer.errors import SignatureError, nearest

_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")

FAMILIES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_NUMBERS, _NUMBERS),
    **{kind: (kind,) for kind in ("boolean", "string", "binary", "date")},
    **{kind: (kind,) for kind in ("timestamp", "timestamp_ntz")},
    **{kind: (kind,) for kind in ("array", "struct", "map")},
}
"""What a column may be that was declared as a kind of type: numbers mean the same in SQL whatever
their width, while a time as text is read in the zone of whoever runs the query."""


def check_source_type(name: str, kind: str, features: Iterable[str]) -> None:
    """Raise SignatureError unless a feature may read a column of the name, and there is the kind.

    Fields of structs have no type of their own here: the column that holds them has.
    """
    check_name(name, what="a source column")
    if not any(name.casefold() in feature.casefold() for feature in features) or "." in name:
        raise SignatureError(
            f"source_types: no feature reads a column {shown(name)}; name the source's columns as "
            "the features do"
        )
    if kind not in FAMILIES:
        raise SignatureError(
            f"source_types: column {shown(name)} is said to be {shown(kind)}, and the kinds of "
            f"types are {', '.join(FAMILIES)}{nearest(kind[:100], FAMILIES)}"
        )
