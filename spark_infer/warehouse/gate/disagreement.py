"""What a gate says of challengers that predict something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spark_infer.errors import ConfigError, nearest
from spark_infer.spark.challengers import column_name
from spark_infer.warehouse.config.gate import CheckConfig
from spark_infer.warehouse.gate.result import Result


def check_compared(
    checks: Sequence[CheckConfig], compared: Mapping[str, Mapping[str, str]]
) -> None:
    """Prove that what checks of disagreement are about can be compared.

    Args:
        checks: The gate's.
        compared: Outputs that are compared, by challenger.

    Raises:
        ConfigError: It cannot.
    """
    for number, check in enumerate(checks):
        if check.check != "disagreement":
            continue
        for name in _challengers(check, compared):
            known = compared[name]
            if check.column is None and not known:
                raise ConfigError(
                    f"gate.{number}: challenger {name!r} has no output of the champion's name that "
                    "is one number or label of a row, so that there is nothing to compare"
                )
            if check.column is not None and check.column not in known:
                raise ConfigError(
                    f"gate.{number}: {check.column!r} is no output that challenger {name!r} and "
                    "the champion both have as a number, or as a label"
                    f"{nearest(check.column, known) or f' ({[*known]})'}"
                )


def disagreements(check: CheckConfig, told: Sequence[Mapping[str, Any]]) -> Iterator[Result]:
    """Yield what came of a check, for each output of each challenger that it is about.

    Args:
        check: A check of disagreement.
        told: What the report says of the challengers.
    """
    assert check.max is not None
    found = {each["name"]: each["disagreement"] for each in told}
    for name in _challengers(check, found):
        for output in found[name]["outputs"]:
            if check.column not in (None, output["output"]):
                continue
            share, rows, compared = output["share"], found[name]["rows"], found[name]["compared"]
            note = "" if rows == compared else f"{compared:,} of {rows:,} rows have both"
            met = None if share is None else share <= check.max
            column = column_name(name, output["output"])
            yield Result.of(check, column, share, met=met, note=note)


def _challengers(check: CheckConfig, known: Mapping[str, Any]) -> Sequence[str]:
    return [*known] if check.challenger is None else [check.challenger]
