"""Names of a classifier's classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spark_infer.bundle import Output
from spark_infer.errors import SignatureError, some


def labels_of(model: Any) -> Sequence[str] | None:
    """Return the names of the classes of a model of scikit-learn's kind; None if it has none."""
    try:
        classes = model.classes_
    except AttributeError:
        return None
    names = [*classes]
    return [*map(str, names)] if all(isinstance(name, str) for name in names) else None


def check_numbers(model: Any, outputs: Sequence[Output]) -> None:
    """Raise SignatureError where an output would give another number than the class's own.

    Args:
        model: What a user gave: its classes may be numbers such as 10 and 20.
        outputs: Outputs that give the number of a class, from 0.
    """
    try:
        classes = [*model.classes_]
    except (AttributeError, TypeError):
        return
    if all(isinstance(name, str) for name in classes) or classes == [*range(len(classes))]:
        return
    for output in outputs:
        if output.labels is None:
            names = [str(name) for name in classes]
            raise SignatureError(
                f"output {output.name!r} would give the place of a class, from 0 to "
                f"{len(classes) - 1}, and the model's classes are {some(names, 5)}; give it the "
                "names of the classes, labels=[str(c) for c in model.classes_], and cast the text"
            )
