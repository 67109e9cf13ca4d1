"""The grammar of the expressions in a bundle: a small part of Spark SQL, and nothing else.

It decides what is allowed and builds nothing. How tightly operators bind is therefore not its
business: operands and operators in turn are enough. Everything that Spark accepts beyond it
(subqueries, relations, aliases, parameters, named arguments, hints) is refused for not being here.
"""

from __future__ import annotations

from spark_infer.bundle.features.functions import (
    AGGREGATES,
    CONVERT_TIMES,
    FUNCTIONS,
    MAKE_TEXT,
    NEED_ARGUMENTS,
    TAKE_FORMAT,
    WINDOW_ONLY,
    not_listed,
)
from spark_infer.bundle.features.names import Names
from spark_infer.bundle.features.tokens import Refused, tokenize
from spark_infer.bundle.features.words import (
    BINARY,
    NEGATABLE,
    QUANTIFIERS,
    TYPED_LITERALS,
    UNARY,
)


def check_expression(expression: object) -> None:
    """Check that an expression is one that a bundle may carry.

    Raises:
        Refused: It is not; the message says which part and why.
    """
    _Parser(tokenize(expression)).whole()


class _Parser(Names):
    """Reads tokens from left to right; each method reads the part that it is named after."""

    def whole(self) -> None:
        self._expression()
        if self.next.kind != "end":
            raise self.unexpected()
        self.repeat(0, 0)

    def _expression(self) -> None:
        with self.nested():
            start = self.size
            self._operand()
            while self._operator(start):
                self.deeper()

    def _operator(self, start: int) -> bool:
        """Read an operator and its right side, if one follows.

        What Spark copies for an operator is at most everything to the left of it, from the size
        that the cursor had at the ``start`` of this expression.
        """
        left = self.size - start
        negated = self.next.keyword == "NOT" and self.ahead(1).keyword in NEGATABLE
        if negated:
            self.advance()
        if self.take("IN"):
            self._list()
        elif self.take("IS"):
            self.take("NOT")
            if self.take("DISTINCT"):
                self.expect("FROM")
                self._operand()
            elif not self.take("NULL", "TRUE", "FALSE", "UNKNOWN"):
                raise self.unexpected()
        elif self.next.keyword in ("LIKE", "ILIKE") and self.ahead(1).keyword in QUANTIFIERS:
            self.advance(2)
            begin = self.size
            count = self._list()
            # Spark's parser reads such a list twice, and the lists in it.
            self.repeat(self.size - begin, 1)
            self.repeat(left, count - 1)
        elif self.next.keyword in BINARY:
            operator = self.advance().keyword
            if operator == "BETWEEN":
                self.repeat(left, 1)
            self.num_texts += operator == "||"
            self._operand()
        else:
            return False
        return True

    def _operand(self) -> None:
        while self.next.keyword in UNARY:
            self.advance()
            self.deeper()
        start = self.place()
        self._primary()
        while True:
            if self.take("."):
                self.field()
            elif self.take("["):
                self._expression()
                self.expect("]")
            elif self.take("::"):
                if self.type():
                    self.check_converted(start)
            else:
                return
            self.deeper()

    def _primary(self) -> None:
        token, following = self.next, self.ahead(1)
        special = _SPECIAL.get(token.keyword)
        if token.kind == "number":
            self.advance()
        elif token.kind == "string":
            self.strings()
        elif token.keyword in TYPED_LITERALS and following.kind == "string":
            self.typed_string()
        elif self.take("("):
            self._expressions()
            self.expect(")")
        elif token.keyword in ("NULL", "TRUE", "FALSE"):
            self.advance()
        elif special is not None and (token.keyword in _OPENERS or following.keyword == "("):
            self.advance()
            special(self)
        elif token.kind in ("word", "quoted") and following.keyword == "(":
            self._call()
        elif token.kind in ("word", "quoted"):
            self.column()
        else:
            raise self.unexpected()

    def _call(self) -> None:
        token = self.advance()
        name = token.name.lower()
        if token.kind == "quoted" or name not in FUNCTIONS:
            raise Refused(
                f"the function {token} is not one that a bundle may call; {not_listed(name)}"
            )
        self.num_texts += name in MAKE_TEXT
        start = self.place()
        self.expect("(")
        if name in NEED_ARGUMENTS and self.next.keyword == ")":
            raise Refused(f"{token} without an argument is not allowed: it is the time of the run")
        if name == "count" and self.next.keyword == "*":
            self.advance()
        elif self.next.keyword != ")":
            self._arguments(name)
        self.expect(")")
        if name == "typeof":
            # Of a column it is known before a row is read.
            self.num_names = start.num_names
        if self.next.keyword in ("IGNORE", "RESPECT"):
            self.advance()
            self.expect("NULLS")
        windowed = self.take("OVER")
        if windowed:
            self._window()
        if windowed != (name in AGGREGATES or name in WINDOW_ONLY):
            raise Refused(
                f"{token} is no window function; leave out OVER"
                if windowed
                else f"{token} makes one row of many unless OVER (...) follows it"
            )

    def _arguments(self, function: str) -> None:
        start = self.place()
        self._argument()
        if function in TAKE_FORMAT and self.next.keyword == ",":
            # By its format a time alone is one of the first day of 1970.
            self.num_times = start.num_times
        if function in CONVERT_TIMES:
            self.check_converted(start)
        while self.take(","):
            start = self.place()
            self._argument()
            if function in CONVERT_TIMES:
                self.check_converted(start)

    def _argument(self) -> None:
        """Read an expression or a lambda function."""
        if self.next.kind in ("word", "quoted") and self.ahead(1).keyword == "->":
            self.column()
            self.advance()
        elif self.is_lambda_of_several():
            self.advance()
            self.column()
            while self.take(","):
                self.column()
            self.advance(2)
        self._expression()

    def _window(self) -> None:
        self.expect("(")
        if self.take("PARTITION"):
            self.expect("BY")
            self._expressions()
        if self.take("ORDER"):
            self.expect("BY")
            self._sort_key()
            while self.take(","):
                self._sort_key()
        if self.take("ROWS", "RANGE"):
            if self.take("BETWEEN"):
                self._bound()
                self.expect("AND")
            self._bound()
        self.expect(")")

    def _sort_key(self) -> None:
        self._expression()
        self.take("ASC", "DESC")
        if self.take("NULLS") and not self.take("FIRST", "LAST"):
            raise self.unexpected()

    def _bound(self) -> None:
        """Read one end of a frame, whose value is a literal with a sign or in parentheses."""
        if self.take("CURRENT"):
            self.expect("ROW")
            return
        if not self.take("UNBOUNDED"):
            self._operand()
        if not self.take("PRECEDING", "FOLLOWING"):
            raise self.unexpected()

    def _case(self) -> None:
        start = self.size
        if self.next.keyword != "WHEN":
            self._expression()
        operand = self.size - start
        if self.next.keyword != "WHEN":
            raise self.unexpected()
        while self.take("WHEN"):
            self.repeat(operand, 1)
            self._expression()
            self.expect("THEN")
            self._expression()
        if self.take("ELSE"):
            self._expression()
        self.expect("END")

    def _cast(self) -> None:
        self.expect("(")
        start = self.place()
        self._expression()
        self.expect("AS")
        if self.type():
            self.check_converted(start)
        self.expect(")")

    def _extract(self) -> None:
        self.expect("(")
        if self.next.kind != "word":
            raise self.unexpected()
        self.advance()
        self.expect("FROM")
        start = self.place()
        self._expression()
        self.check_converted(start)
        self.expect(")")

    def _struct(self) -> None:
        self.expect("(")
        self._struct_field()
        while self.take(","):
            self._struct_field()
        self.expect(")")

    def _struct_field(self) -> None:
        self._expression()
        if self.take("AS"):
            self.field()

    def _list(self) -> int:
        self.expect("(")
        count = self._expressions()
        self.expect(")")
        return count

    def _expressions(self) -> int:
        count = 1
        self._expression()
        while self.take(","):
            self._expression()
            count += 1
        return count


_SPECIAL = {
    "CASE": _Parser._case,
    "CAST": _Parser._cast,
    "TRY_CAST": _Parser._cast,
    "EXTRACT": _Parser._extract,
    "INTERVAL": _Parser.interval,
    "STRUCT": _Parser._struct,
}
# These two open an expression without a parenthesis.
_OPENERS = ("CASE", "INTERVAL")
