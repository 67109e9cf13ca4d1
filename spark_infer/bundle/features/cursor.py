"""A place in a list of tokens, and how deep the expression around it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from spark_infer.bundle.features.tokens import Refused, Token

_MAX_NESTING = 50
# A chain of operators is a tree as deep as the chain is long, for Spark's parser and analyzer.
_MAX_DEPTH = 400
# Some of what Spark reads has copies of its operand, and copies of copies fill its memory.
_MAX_SIZE = 30_000


class Place(NamedTuple):
    """Where a part of an expression begins, and what was counted up to there."""

    token: Token
    num_names: int
    num_texts: int
    num_times: int


class Cursor:
    """Moves over tokens, of which the last one is of kind ``end``.

    Attributes:
        size: How many tokens there were, with the copies that Spark makes of them.
        num_names: How many names of columns and variables there were.
        num_texts: How many texts there were that may be the time of the run.
        num_times: How many texts there were that are times without a date.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._nesting = 0
        self._depth = 0
        self.size = 0
        self.num_names = 0
        self.num_texts = 0
        self.num_times = 0

    @property
    def next(self) -> Token:
        """The token at this place."""
        return self._tokens[self._position]

    def ahead(self, count: int) -> Token:
        """Return the token that many places further on, the last one at most."""
        return self._tokens[min(self._position + count, len(self._tokens) - 1)]

    def advance(self, count: int = 1) -> Token:
        """Move on; return the token at the place that was left."""
        token = self.next
        self._position += count
        self.size += count
        return token

    def take(self, *keywords: str) -> bool:
        """Move over one of these words or symbols; return whether one is here."""
        if self.next.keyword not in keywords:
            return False
        self.advance()
        return True

    def expect(self, keyword: str) -> None:
        """Move over this word or symbol; another one is refused."""
        if not self.take(keyword):
            raise self.unexpected(f", {keyword} is expected")

    def unexpected(self, expected: str = "") -> Refused:
        """Return what refuses the token at this place."""
        return Refused(f"{self.next} is not understood{expected}")

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Count one more level of nesting for the part that is read within."""
        depth = self._depth
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise Refused(f"it is nested more than {_MAX_NESTING} deep at {self.next}")
        yield
        self._nesting -= 1
        self._depth = depth

    def deeper(self) -> None:
        """Count one more operator of this part."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Refused(
                f"more than {_MAX_DEPTH} operators follow each other at {self.next}; use "
                "parentheses or several features"
            )

    def place(self) -> Place:
        """Return where a part begins."""
        return Place(self.next, self.num_names, self.num_texts, self.num_times)

    def check_converted(self, start: Place) -> None:
        """Refuse the part from there to here if as a date or timestamp it may be that of the run.

        Spark reads ``now`` in texts that it knows before it reads a row: those without a column.
        A time without a date is one of the day of the run in any text, so none may be part of it.
        """
        if self.num_times > start.num_times:
            raise Refused(
                f"what begins with {start.token} is not allowed: as a timestamp, the time without "
                "a date in it can be one on the day of the run; add an INTERVAL to a date, or "
                "compare hour(...) and minute(...)"
            )
        if self.num_names == start.num_names and self.num_texts > start.num_texts:
            raise Refused(
                f"what begins with {start.token} is not allowed: as a date or timestamp, a text "
                "that is computed from no column can be the time of the run; write the date "
                "itself, in digits"
            )

    def repeat(self, size: int, times: int) -> None:
        """Count copies of a part of this size; ``size`` counts the tokens so far with copies."""
        self.size += size * times
        if self.size > _MAX_SIZE:
            raise Refused(
                f"it is too large at {self.next}: with the copies that BETWEEN, LIKE ANY and CASE "
                f"make of their parts it has more than {_MAX_SIZE:,} parts; use several features"
            )

    def is_lambda_of_several(self) -> bool:
        """Tell whether what follows is ``(x, y) ->``."""
        if self.next.keyword != "(":
            return False
        ahead = 1
        while self.ahead(ahead).kind in ("word", "quoted") and self.ahead(ahead + 1).text == ",":
            ahead += 2
        is_name = self.ahead(ahead).kind in ("word", "quoted")
        return is_name and [self.ahead(ahead + 1).text, self.ahead(ahead + 2).text] == [")", "->"]
