"""How a job predicts: the options of the predictor as keys of the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_type_hints

from pydantic import Field, TypeAdapter, create_model, model_validator

from spark_infer.backends import ModelOptions
from spark_infer.errors import ConfigError
from spark_infer.model import BatchOptions
from spark_infer.warehouse.values import Section

_IN_FILE: dict[Any, Any] = {Sequence[int]: tuple[int, ...]}
"""What a section holds in the place of an option's type."""


def _keys() -> dict[str, Any]:
    """Return each option as a key: its type and default, and its docstring for the reference."""
    kinds, meanings = get_type_hints(BatchOptions), _meanings()
    return {
        option.name: (
            _IN_FILE.get(kinds[option.name], kinds[option.name]),
            Field(option.default, description=meanings.get(option.name)),
        )
        for option in dataclasses.fields(BatchOptions)
        if option.name != "until"  # A job says it as deadline.
    }


def _meanings() -> dict[str, str]:
    """Return the options' docstrings; none where Python runs without its source files."""
    return {
        name: " ".join(option["description"].replace("``", "").split())
        for kind in (ModelOptions, BatchOptions)  # each knows the docstrings of its own fields
        for name, option in TypeAdapter(kind).json_schema()["properties"].items()
        if "description" in option
    }


if TYPE_CHECKING:
    _Options = Section
else:
    _Options = create_model("_Options", __base__=Section, **_keys())


class BatchConfig(_Options):
    """How rows are cut into batches, where the model runs, and what happens to rows that fail.

    Every option is a key, with its default. Those that stand here mean something else to a job.
    """

    max_rejected_share: float = Field(
        0.05,
        description="Share of the run's rows, rounded up to a whole row, that may get no "
        "prediction, for whatever reason; with more, nothing is written. Scoring stops as soon as "
        "the model fails on that share of a task's rows, from 1,000 rows on.",
    )

    @model_validator(mode="after")
    def _is_in_range(self) -> BatchConfig:
        try:
            self.options()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def options(self) -> BatchOptions:
        """Return the options of the predictor."""
        return BatchOptions(**self.model_dump())
