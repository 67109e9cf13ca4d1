"""Whether a model answers the same row the same way again."""

from __future__ import annotations

from collections.abc import Callable

from spark_infer.backends import Backend
from spark_infer.engine.proof.advice import run_or_refuse
from spark_infer.engine.proof.answers import Answer
from spark_infer.engine.proof.trials import Shown
from spark_infer.errors import SignatureError


def check_repeats(
    model: Backend,
    first: Shown,
    difference: Callable[[Answer, Answer], tuple[str, str, str] | None],
) -> None:
    """Run the first row again.

    Args:
        model: The model.
        first: The row, alone, and what the model answered.
        difference: Returns an output and its two values where two answers differ.

    Raises:
        SignatureError: The model answers it differently.
    """
    (again,) = run_or_refuse(model, first.decoded, first.trial, first.source)
    if found := difference(first.answers[0], again):
        output, one, other = found
        raise SignatureError(
            f"the bundle is not saved: the model answers the same row differently, {output!r} "
            f"is {one} and then {other}; take what it keeps between calls out of forward(), "
            "or pass stochastic=True if it draws at random"
        )
