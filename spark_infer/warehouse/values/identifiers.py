"""Names in SQL as PostgreSQL reads them."""

from __future__ import annotations

import re

from spark_infer.bundle.documents import shown

MAX_BYTES = 63
"""The longest name; the database cuts longer ones without a word."""
_PART = re.compile(r'"((?:[^"\0]|"")+)"|([A-Za-z_][A-Za-z0-9_]*)')


def identifiers(text: str, *, most: int) -> tuple[str, ...]:
    """Take a name with dots apart. Without quotes it is folded to lower case, as PostgreSQL does.

    Args:
        text: Such as ``scores``, ``store.scores`` or ``store."Scores of 2018"``.
        most: How many parts it may have.

    Raises:
        ValueError: It is no such name.
    """
    parts: list[str] = []
    place = 0
    while part := _PART.match(text, place):
        parts.append(part[1].replace('""', '"') if part[1] else part[2].lower())
        place = part.end()
        if place == len(text) and len(parts) <= most:
            return tuple(map(_of_length, parts))
        if text[place : place + 1] != ".":
            break
        place += 1
    form = "[schema.]table" if most > 1 else "one name"
    raise ValueError(
        f"{shown(text)} must be {form} of ASCII letters, digits and _, or in "
        '"double quotes"; without them it counts as lower case'
    )


def _of_length(name: str) -> str:
    if len(name.encode()) > MAX_BYTES:
        raise ValueError(f"{shown(name)} has more than {MAX_BYTES} bytes, which PostgreSQL cuts")
    return name
