"""Settings from the command line and the environment: what each one names, and its place."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from spark_infer.errors import ConfigError, nearest
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.jobfile.document import parse

ENVIRONMENT_PREFIX = "SPARK_INFER_SET_"
SPARK_PREFIX = "spark."
_NAMED = ("parameters", "features", "challengers")
"""Sections whose keys are names that a job file chooses."""


def from_environment(environment: Mapping[str, str], data: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings in the environment that concern this job.

    The environment may be shared by many jobs: a parameter or a feature that this job lacks may
    be another's, and is left out.

    Raises:
        ConfigError: A variable names what no job can have.
    """
    named = {part: {n.upper(): n for n in _section(data, part)} for part in _NAMED}
    found = {}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        word = variable.removeprefix(ENVIRONMENT_PREFIX)
        if "__" not in word:
            if word.upper() in named["parameters"]:
                found[named["parameters"][word.upper()]] = value
            continue
        name = word.lower().replace("__", ".")
        try:
            path = _path(name)
        except ConfigError as error:
            raise ConfigError(f"environment variable {variable}: {error}") from None
        if name.startswith(SPARK_PREFIX):
            raise ConfigError(
                f"environment variable {variable}: keys of Spark are told apart by case, which the "
                "names of variables have not; use --set spark.KEY=VALUE or spark-submit --conf"
            )
        if path[0] in _NAMED:
            names = named[path[0]]
            if path[1].upper() not in names:
                continue
            path = (path[0], names[path[1].upper()], *path[2:])
        found[".".join(path)] = value
    return found


def apply(data: dict[str, Any], name: str, value: Any) -> None:
    """Put a setting with a dot in its name into the contents of a job file.

    Text becomes what is declared for its key: lists and mappings are read as YAML, and all else
    stays the text that it is.

    Raises:
        ConfigError: The name leads to no key of a job file, or the value is no YAML.
    """
    try:
        path = _path(name)
        _check_parameter(path, data)
        *sections, key = path
        target = data
        for depth, section in enumerate(sections):
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigError(f"{'.'.join(path[: depth + 1])} is not a section in this file")
        target[key] = _parsed(value, path)
    except ConfigError as error:
        raise ConfigError(f"setting {name!r}: {error}") from None


def known_keys(path: tuple[str, ...]) -> list[str]:
    """Return the keys that the section at a place of the job file may have."""
    kind: Any = JobConfig
    for part in path:
        kind = _below(kind, str(part))
    model = _model(kind)
    return list(model.model_fields) if model else []


def _path(name: str) -> tuple[str, ...]:
    """Return where a setting stands in the job file.

    Raises:
        ConfigError: Nowhere.
    """
    if name.startswith(SPARK_PREFIX):
        # The section's keys have dots themselves, and start like the section.
        return "spark", name
    parts = name.split(".")
    kind: Any = JobConfig
    for depth, part in enumerate(parts):
        within = ".".join(parts[:depth])
        model = _model(kind)
        if model is not None and part not in model.model_fields:
            where = f"section {within!r} has no key" if within else "a job file has no section"
            raise ConfigError(
                f"{where} {part!r}{nearest(part, model.model_fields) or _all_of(model)}"
            )
        if model is None and not _is_mapping(kind):
            raise ConfigError(f"{within} is a value and has no keys; did you mean {within!r}?")
        if not part:
            raise ConfigError("a name is missing beside a dot")
        if _is_mapping(kind) and _model(get_args(kind)[1]) is None:
            # Names of features and of a reader's options may have dots.
            return *parts[:depth], ".".join(parts[depth:])
        kind = _below(kind, part)
    section = _model(kind)
    if section is not None:
        raise ConfigError(f"that is a section; name one of its keys{_all_of(section)}")
    return tuple(parts)


def _check_parameter(path: tuple[str, ...], data: Mapping[str, Any]) -> None:
    declared = _section(data, "parameters")
    if path[0] == "parameters" and path[1] not in declared:
        raise ConfigError(
            f"the job has no parameter {path[1]!r}{nearest(path[1], declared)} "
            f"(parameters: {sorted(declared)})"
        )


def _parsed(value: Any, path: tuple[str, ...]) -> Any:
    kind: Any = JobConfig
    for part in path:
        kind = _below(kind, part)
    if not isinstance(value, str) or get_origin(kind) not in (tuple, dict):
        return value
    return parse(value)


def _section(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = data.get(name)
    return section if isinstance(section, dict) else {}


def _below(kind: Any, part: str) -> Any:
    """Return the declared type of a key; None for an unknown one."""
    model = _model(kind)
    if model is not None:
        return model.model_fields[part].annotation if part in model.model_fields else None
    if get_origin(kind) is tuple and part.isdecimal():
        return get_args(kind)[0]
    return get_args(kind)[1] if _is_mapping(kind) else None


def _model(kind: Any) -> type[BaseModel] | None:
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    return models[0] if models else None


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) is dict


def _all_of(model: type[BaseModel]) -> str:
    return f"; known keys: {sorted(model.model_fields)}"
