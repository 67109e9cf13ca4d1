"""The parts of the grammar that hold no expressions: strings, intervals and types."""

from __future__ import annotations

from spark_infer.bundle.features.cursor import Cursor
from spark_infer.bundle.features.tokens import Refused
from spark_infer.bundle.features.words import TYPES, UNITS


class Literals(Cursor):
    """Reads literals and types."""

    def strings(self) -> None:
        """Read strings; several in a row are one literal."""
        while self.next.kind == "string":
            self.advance()

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

    def type(self) -> None:
        """Read a type: a plain one, or an array, map or struct of types."""
        with self.nested():
            if self.take("ARRAY"):
                self.expect("<")
                self.type()
                self.expect(">")
            elif self.take("MAP"):
                self.expect("<")
                self.type()
                self.expect(",")
                self.type()
                self.expect(">")
            elif self.take("STRUCT"):
                self.expect("<")
                self._typed_field()
                while self.take(","):
                    self._typed_field()
                self.expect(">")
            else:
                self._plain_type()

    def _typed_field(self) -> None:
        if self.next.kind not in ("word", "quoted"):
            raise self.unexpected()
        self.advance()
        self.take(":")
        self.type()

    def _plain_type(self) -> None:
        token = self.next
        if token.keyword not in TYPES:
            raise Refused(f"{token} is no type that a feature may be cast to")
        self.advance()
        if token.keyword in ("DEC", "DECIMAL", "NUMERIC") and self.take("("):
            self._number()
            if self.take(","):
                self._number()
            self.expect(")")

    def _number(self) -> None:
        if self.next.kind != "number":
            raise self.unexpected()
        self.advance()
