"""The parts of the grammar that hold no expressions: strings, intervals and types."""

from __future__ import annotations

import re

from spark_infer.bundle.features.cursor import Cursor
from spark_infer.bundle.features.moments import is_date, is_moment, is_time_of_day, value_of
from spark_infer.bundle.features.tokens import Refused, Token
from spark_infer.bundle.features.words import TIMES, TYPES, UNITS

_HEX = re.compile("[0-9A-Fa-f]*")


class Literals(Cursor):
    """Reads literals and types."""

    def strings(self) -> None:
        """Read strings; several in a row are one literal."""
        first, values, raw = self.next, "", ""
        while self.next.kind == "string":
            text = self.advance().text
            values += value_of(text)
            raw += text.lstrip("rR")[1:-1]
        if is_moment(values) or is_moment(raw):
            raise _moment(first)
        self.num_times += is_time_of_day(values)

    def typed_string(self) -> None:
        """Read the string of ``DATE '2024-02-29'`` or ``X'1F'``, whose value Spark computes now."""
        is_binary = self.advance().keyword == "X"
        token = self.advance()
        text = token.text.lstrip("rR")[1:-1]
        if is_binary:
            if not _HEX.fullmatch(text):
                raise Refused(f"{token} is not understood, hexadecimal digits are expected")
            value = bytes.fromhex(text.zfill(len(text) + len(text) % 2)).decode("latin1")
            if is_moment(value):
                raise _moment(token)
            self.num_times += is_time_of_day(value)
        elif not is_date(text):
            raise Refused(
                f"{token} is not allowed: a date or timestamp begins with a year in digits, and "
                "anything else could be the time of the run; write it like '2024-02-29 12:30:00'"
            )

    def interval(self) -> None:
        """Read ``'1 day'``, ``-1 DAY 2 HOURS`` or ``'1-2' YEAR TO MONTH``."""
        while self.next.keyword in ("+", "-") or self.next.kind in ("number", "string"):
            self.take("+", "-")
            if self.next.kind not in ("number", "string"):
                raise self.unexpected()
            is_text = self.advance().kind == "string"
            if self._unit():
                if self.take("TO") and not self._unit():
                    raise self.unexpected()
            elif is_text:
                return
            else:
                raise self.unexpected()
            if self.next.kind not in ("number", "string"):
                return
        raise self.unexpected()

    def _unit(self) -> bool:
        if self.next.keyword.removesuffix("S") not in UNITS:
            return False
        self.advance()
        return True

    def type(self) -> bool:
        """Read a type: a plain one, or an array, map or struct of types.

        Returns:
            Whether texts that are cast to it become dates or timestamps.
        """
        with self.nested():
            if self.take("ARRAY"):
                self.expect("<")
                times = self.type()
                self.expect(">")
            elif self.take("MAP"):
                self.expect("<")
                times = self.type()
                self.expect(",")
                times |= self.type()
                self.expect(">")
            elif self.take("STRUCT"):
                self.expect("<")
                times = self._typed_field()
                while self.take(","):
                    times |= self._typed_field()
                self.expect(">")
            else:
                times = self._plain_type()
        return times

    def _typed_field(self) -> bool:
        if self.next.kind not in ("word", "quoted"):
            raise self.unexpected()
        self.advance()
        self.take(":")
        return self.type()

    def _plain_type(self) -> bool:
        token = self.next
        if token.keyword not in TYPES:
            raise Refused(f"{token} is no type that a feature may be cast to")
        self.advance()
        if token.keyword in ("DEC", "DECIMAL", "NUMERIC") and self.take("("):
            self._number()
            if self.take(","):
                self._number()
            self.expect(")")
        return token.keyword in TIMES

    def _number(self) -> None:
        if self.next.kind != "number":
            raise self.unexpected()
        self.advance()


def _moment(token: Token) -> Refused:
    return Refused(f"{token} is not allowed: as a date or timestamp it is the time of the run")
