"""Tokens of the expressions in a bundle, cut exactly where Spark's lexer cuts.

Where the two could differ the text is refused: characters outside ASCII (Spark folds case before
it looks for keywords, so that a dotless i makes an ``IN``), comments, ``${...}`` (Spark puts
environment variables and settings there, in strings too) and numbers that letters follow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["string", "number", "word", "quoted", "symbol", "end"]

_MAX_LENGTH = 100_000
_TOKEN = re.compile(
    r"""
    (?P<space> [ \t\r\n]+ )
    | (?P<comment> -- | /\* )
    | (?P<string> [rR]'[^']*' | [rR]"[^"]*" | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" )
    | (?P<number> (?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+) (?:[eE][+-]?[0-9]+)? (?:[bB][dD]|[lLsSyYfFdD])?
                  (?![A-Za-z0-9_.]) )
    | (?P<word> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<quoted> `(?:[^`]|``)+` )
    | (?P<symbol> <=> | -> | <> | != | <= | >= | == | \|\| | :: | [-()\[\],.:+*/%=<>&|^~!] )
    """,
    re.VERBOSE | re.DOTALL,
)


class Refused(Exception):
    """An expression is not one that a bundle may carry; the message says which part and why."""


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
        kind: What it is.
        text: As it stands in the expression.
        start: Where that is.
    """

    kind: Kind
    text: str
    start: int

    @property
    def keyword(self) -> str:
        """The word or symbol in upper case; nothing for other kinds."""
        return self.text.upper() if self.kind in ("word", "symbol") else ""

    @property
    def name(self) -> str:
        """The name that a word or a text in backticks stands for."""
        return self.text[1:-1].replace("``", "`") if self.kind == "quoted" else self.text

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end"
        shown = self.text if len(self.text) <= 40 else self.text[:40] + "..."
        return f"{shown} at character {self.start + 1}"


def tokenize(expression: object) -> list[Token]:
    """Return the tokens of an expression; the last one is of kind ``end``.

    Raises:
        Refused: It is no text, too long, or a part of it is no token of the language.
    """
    return _cut(check_text(expression))


def check_text(expression: object) -> str:
    """Check what does not depend on the tokens of an expression, and return it.

    Raises:
        Refused: It is no text, too long, or something in it is not what it seems.
    """
    if not isinstance(expression, str):
        raise Refused("a feature is the text of a Spark SQL expression; write a string")
    if len(expression) > _MAX_LENGTH:
        raise Refused(
            f"it is {len(expression):,} characters long, more than {_MAX_LENGTH:,}; "
            "split it into several features"
        )
    for position, char in enumerate(expression):
        if not char.isprintable() and char not in "\t\r\n":
            raise Refused(
                f"the unprintable character {char!a} at character {position + 1} is not "
                "allowed; remove it, or write an escape sequence in a string"
            )
    if "${" in expression:
        raise Refused(
            "${ is not allowed, not even in a string: Spark puts settings and environment "
            "variables in its place; write '$' '{...'"
        )
    return expression


def _cut(expression: str) -> list[Token]:
    tokens = []
    position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            char = expression[position]
            what = "is not closed" if char in "'\"`" else "is not understood"
            raise Refused(f"{char} at character {position + 1} {what}{_backticks(char)}")
        kind, text = match.lastgroup, match.group()
        if kind == "comment":
            raise Refused(f"the comment {text} at character {position + 1} is not allowed")
        if kind != "space":
            # A group of the pattern is one of the kinds.
            tokens.append(Token(kind, text, position))  # type: ignore[arg-type]
        position = match.end()
    return [*tokens, Token("end", "", position)]


def _backticks(char: str) -> str:
    return "; write a name with such letters in backticks" if not char.isascii() else ""
