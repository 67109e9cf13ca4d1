"""Which outputs and features a check is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from spark_infer.bundle import Signature
from spark_infer.bundle.profile.columns import number_columns, number_outputs
from spark_infer.errors import ConfigError, nearest
from spark_infer.warehouse.config.gate import DRIFT, CheckConfig


class Asked(NamedTuple):
    """Outputs and features by name."""

    outputs: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


def check_columns(checks: Sequence[CheckConfig], signature: Signature) -> None:
    """Prove that each check is about what the bundle has, and that the names of checks differ.

    Raises:
        ConfigError: One is not.
    """
    for number, check in enumerate(checks):
        if check.check == "disagreement":
            continue  # It is about the outputs of challengers.
        try:
            asked(check, signature)
        except ConfigError as error:
            raise ConfigError(f"gate.{number}: {error}") from None
    names = Counter(check.name for check in checks if check.name is not None)
    for name, times in names.items():
        if times > 1:
            raise ConfigError(f"gate: {times} checks have the name {name!r}; name each of them")


def asked(check: CheckConfig, signature: Signature) -> Asked:
    """Return what a check is about.

    Raises:
        ConfigError: Its column is no output (or feature), or of a kind that it cannot measure.
    """
    is_drift = check.check in DRIFT
    outputs = [output.name for output in signature.outputs]
    numbers = number_outputs(signature)
    ordered = [name for name, output in numbers.items() if output.labels is None]
    features = [*number_columns(signature)] if is_drift else []
    fitting = {"nulls": outputs, "psi": [*numbers]}.get(check.check, ordered)
    if check.column is None:
        if not is_drift and check.check != "nulls":
            return Asked()
        return Asked(tuple(fitting), tuple(name for name in features if name not in outputs))
    if check.column in fitting:
        return Asked(outputs=(check.column,))
    if check.column in outputs:
        raise ConfigError(
            f"check {check.check} cannot measure output {check.column!r}, which is no number "
            f"{'and no label of a few ' if check.check == 'psi' else ''}a row; use a sql check"
        )
    if check.column in features:
        return Asked(features=(check.column,))
    if check.column in signature.column_names:
        what = "is no single number a row" if is_drift else "is none of the outputs"
        raise ConfigError(f"check {check.check}: {check.column!r} is read by the model, and {what}")
    known = [*outputs, *features]
    what = "output or feature" if is_drift else "output"
    raise ConfigError(
        f"check {check.check}: {check.column!r} is no {what} of the bundle"
        f"{nearest(check.column, known) or f' ({known})'}"
    )
