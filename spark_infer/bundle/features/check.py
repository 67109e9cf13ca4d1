"""Check the features of a bundle, and say in one sentence what is refused."""

from __future__ import annotations

from collections.abc import Mapping

from spark_infer.bundle.documents import shown
from spark_infer.bundle.features.grammar import check_expression
from spark_infer.bundle.features.tokens import Refused
from spark_infer.errors import SignatureError, printable

_MAX_SHOWN = 160


def check_features(features: Mapping[str, str]) -> None:
    """Check that every feature is a row's own computation: columns, literals, listed functions.

    Raises:
        SignatureError: A feature is anything else; the message names the feature, its expression
            and the part that is refused.
    """
    for name, expression in features.items():
        try:
            check_expression(expression)
        except Refused as error:
            raise SignatureError(refused(name, expression, str(error))) from None


def refused(name: str, expression: object, why: str) -> str:
    """Return the sentence that refuses a feature."""
    text = " ".join(expression.split()) if isinstance(expression, str) else shown(expression)
    text = printable(text)
    if len(text) > _MAX_SHOWN:
        text = text[:_MAX_SHOWN] + "..."
    return f"feature {name!r} ({text}): {why}"
