"""A model that predicts beside a job's own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field, field_validator

from spark_infer.warehouse.config.bundle import BundleConfig

MAX_CHALLENGERS = 3
"""With the champion as many models as a worker keeps loaded."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}")


class ChallengerConfig(BundleConfig):
    """A challenger."""

    path_key: ClassVar[str] = "path of a challenger"

    shadow: bool = Field(
        False,
        description="Whether its predictions are compared only. Otherwise they are columns of the "
        "target, <name>_<output>.",
    )
    tolerance: float = Field(
        0.01,
        description="Absolute difference above which its number and the champion's count as "
        "different.",
    )

    @field_validator("tolerance")
    @classmethod
    def _is_distance(cls, value: float) -> float:
        if not 0 <= value < math.inf:
            raise ValueError(f"must be a number that is not negative, got {value:g}")
        return value


def check_challengers(names: Iterable[str]) -> None:
    """Raise ValueError where challengers are too many, or cannot be called so."""
    folded: dict[str, str] = {}
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} must begin with a letter and consist of up to 50 letters, digits and "
                "underscores: columns of the target begin so"
            )
        other = folded.setdefault(name.lower(), name)
        if other != name:
            raise ValueError(f"{other!r} and {name!r} differ in case only; rename one")
    if len(folded) > MAX_CHALLENGERS:
        raise ValueError(
            f"{len(folded)} challengers are too many, {MAX_CHALLENGERS} can predict in one job; "
            "leave some out, or give them a job of their own"
        )
