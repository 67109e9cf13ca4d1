"""Typed values for a job's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spark_infer.errors import ConfigError, nearest
from spark_infer.warehouse.config import ParameterConfig
from spark_infer.warehouse.jobfile import ENVIRONMENT_PREFIX
from spark_infer.warehouse.values import KINDS, read


def bind_parameters(
    declared: Mapping[str, ParameterConfig], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a value of the declared type for each parameter.

    Raises:
        ConfigError: A parameter is not given, not declared, or not of its type.
    """
    for name in given:
        if name not in declared:
            known = sorted(declared)
            raise ConfigError(
                f"the job has no parameter {name!r}{nearest(name, known)} (parameters: {known}; "
                "keys of the job file have a dot, such as batch.device)"
            )
    values = {}
    for name, parameter in declared.items():
        value = given.get(name, parameter.default)
        if value is None:
            about = f" ({parameter.description})" if parameter.description else ""
            raise ConfigError(
                f"parameter {name!r}{about} is not given; pass --set "
                f"{name}={KINDS[parameter.type].example} or set {ENVIRONMENT_PREFIX}{name.upper()}"
            )
        values[name] = _convert(name, value, parameter)
    return values


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Return values as text, which ``bind_parameters`` reads as the same values."""
    return {name: str(value) for name, value in values.items()}


def _convert(name: str, value: Any, parameter: ParameterConfig) -> Any:
    try:
        return read(parameter.type, value)
    except ValueError as error:
        raise ConfigError(f"parameter {name!r} {error}") from None
