"""Whether a model's answers depend on what it was asked before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spark_infer.backends.original import Original
from spark_infer.engine.proof.advice import run_or_refuse
from spark_infer.engine.proof.answers import Answer
from spark_infer.engine.proof.trials import Shown
from spark_infer.engine.proof.words import shown_row
from spark_infer.engine.proof.yardstick import Slack
from spark_infer.errors import SignatureError

Difference = Callable[[Answer, Answer, Slack | None], tuple[str, str, str] | None]
"""Returns output, value and other value where two answers to a row differ, or None."""

_MOST_NAMES = 3


def check_history(
    model: Original, shown: Shown, difference: Difference, changed: Sequence[str], *, draws: bool
) -> None:
    """Ask a model that saw no rows for answers that it gave after others.

    What it keeps between calls is its own affair, such as a table that grows with the longest row,
    where the answers are the same. What it fits to the first rows that it sees would be fitted to
    other rows in each process.

    Args:
        model: The model, which saw other rows.
        shown: Rows, and what it answered then.
        difference: Compares answers.
        changed: Names of what it keeps between calls.
        draws: Whether it may draw random numbers.

    Raises:
        SignatureError: It answers otherwise.
    """
    answers = shown.answers
    if draws:
        answers = _ask(model, shown)
        if _difference(shown, answers, _ask(model, shown), difference):
            return  # It draws from a generator of its own.
    model.restore()
    if found := _difference(shown, answers, _ask(model, shown), difference):
        row, output, after, first = found
        names = ", ".join(map(repr, changed[:_MOST_NAMES]))
        raise SignatureError(
            f"the bundle is not saved: the model's answers depend on the rows that it saw before, "
            f"the row {shown_row(shown.source, row)}: {output!r} is {first} at first and {after} "
            f"after other rows, because forward() changes {names}; fit that before saving and "
            "make it a buffer, or take it out of forward()"
        )


def _ask(model: Original, shown: Shown) -> Sequence[Answer]:
    with model.seeded():
        return run_or_refuse(model, shown.decoded, shown.trial, shown.source)


def _difference(
    shown: Shown, ours: Sequence[Answer], theirs: Sequence[Answer], difference: Difference
) -> tuple[int, str, str, str] | None:
    """Return row, output, value and other value where answers differ, or None."""
    for row, one, other in zip(shown.trial.rows, ours, theirs, strict=True):
        if found := difference(one, other, shown.slack.get(int(row))):
            return int(row), *found
    return None
