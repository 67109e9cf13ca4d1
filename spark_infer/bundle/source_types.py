"""The types of source columns, where a bundle's features mean something for these only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

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


_MAX_PARTS = 100
"""Most names that are parts of others in the features: each is looked for in all of their text."""


def check_source_types(kinds: Mapping[str, str], features: Iterable[str]) -> None:
    """Raise SignatureError unless features may read such columns, and there are the kinds.

    Fields of structs have no type of their own here: the column that holds them has.
    """
    text = "\n".join(features).casefold()
    words = {*re.findall(r"\w+", text), *text.split("`")}
    parts = 0
    for name, kind in kinds.items():
        check_name(name, what="a source column")
        folded = name.casefold()
        parts += folded not in words
        is_read = folded in words or (parts <= _MAX_PARTS and folded in text)
        if not is_read or "." in name:
            raise SignatureError(
                f"source_types: no feature reads a column {shown(name)}; name the source's columns "
                "as the features do"
            )
        if kind not in FAMILIES:
            raise SignatureError(
                f"source_types: column {shown(name)} is said to be {shown(kind)}, and the kinds of "
                f"types are {', '.join(FAMILIES)}{nearest(kind, FAMILIES)}"
            )
