"""Typed values for a job's parameters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from spark_infer.errors import ConfigError, nearest
from spark_infer.warehouse.config import ParameterConfig
from spark_infer.warehouse.jobfile import ENVIRONMENT_PREFIX

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_EXAMPLES = {
    "string": "text",
    "int": "7",
    "float": "0.5",
    "bool": "true or false",
    "date": "2018-08-08",
    "timestamp": "2018-08-08T04:00:00",
}


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
                f"{name}={_EXAMPLES[parameter.type]} or set {ENVIRONMENT_PREFIX}{name.upper()}"
            )
        values[name] = _convert(name, value, parameter)
    return values


def _convert(name: str, value: Any, parameter: ParameterConfig) -> Any:
    try:
        return _READERS[parameter.type](value)
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"parameter {name!r} must be a {parameter.type} such as "
            f"{_EXAMPLES[parameter.type]}, got {value!r}"
        ) from None


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))


def _timestamp(value: Any) -> dt.datetime:
    return value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "string": str,
    "int": lambda value: int(str(value)),
    "float": lambda value: float(str(value)),
    "bool": lambda value: _BOOLEANS[str(value).lower()],
    "date": _date,
    "timestamp": _timestamp,
}
