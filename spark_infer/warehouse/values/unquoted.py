"""What stands in YAML without quotes and is not surely text."""

from __future__ import annotations

from typing import Any

from spark_infer.bundle import documents

_LONGEST = 100


class Unquoted(str):
    """Text that stands in YAML without quotes, where YAML takes it for something else.

    Attributes:
        what: What YAML takes it for, such as "a number" or "null".
    """

    __slots__ = ("what",)
    what: str

    def __new__(cls, text: str, what: str) -> Unquoted:
        """Return the text as it was written."""
        made = super().__new__(cls, text)
        made.what = what
        return made


def is_null(value: Any) -> bool:
    """Return whether YAML takes a value for null: ``~``, ``null`` or nothing at all."""
    return isinstance(value, Unquoted) and value.what == "null"


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    if isinstance(value, Unquoted):
        return f"{_short(value)} without quotes" if value else "nothing"
    return documents.shown(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
