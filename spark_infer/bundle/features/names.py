"""The names in the grammar: columns, and the fields behind a dot."""

from __future__ import annotations

from spark_infer.bundle.features.functions import SESSION_NAMES
from spark_infer.bundle.features.literals import Literals
from spark_infer.bundle.features.tokens import Refused, Token
from spark_infer.bundle.features.words import QUERIES, RESERVED


class Names(Literals):
    """Reads names that are no functions."""

    def column(self) -> None:
        """Read the name of a column of the row."""
        token = self.advance()
        self.num_names += 1
        if token.keyword in QUERIES:
            raise Refused(
                f"{token} is not allowed: a feature reads its own row (and windows), no query, "
                "table or subquery; join such data in the job's source"
                + _hint(token, "if it is a column")
            )
        if token.keyword in RESERVED:
            raise Refused(f"{token} is not understood{_hint(token, 'if it is a column')}")
        if token.kind == "word" and token.name.lower() in SESSION_NAMES:
            raise Refused(
                f"{token} is not allowed: it tells about the session, the file or the time of the "
                f"run{_hint(token, 'if it is a column')}"
            )

    def field(self) -> None:
        """Read the name behind a dot; a call there would be one of a function in a database."""
        if self.next.kind not in ("word", "quoted"):
            raise self.unexpected()
        token = self.advance()
        if self.next.keyword == "(":
            raise Refused(
                f"the function {token} is not allowed: its name is qualified, and only Spark's "
                "built-in functions may be called"
            )


def _hint(token: Token, when: str) -> str:
    return f"; {when}, write `{token.text}`"
