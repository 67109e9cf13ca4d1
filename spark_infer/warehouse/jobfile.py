"""Job files: YAML and overrides to a validated job configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from spark_infer.errors import ConfigError, nearest
from spark_infer.warehouse.config import JobConfig

ENVIRONMENT_PREFIX = "SPARK_INFER_SET_"
_UNION_MEMBERS = ("int", "bool", "literal['auto']")
"""What pydantic puts behind the place of a value that may be of one of several types."""


def read_job(
    path: str | os.PathLike[str], settings: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[JobConfig, dict[str, Any]]:
    """Read a job file.

    A setting whose name has no dot is a parameter; ``batch.device`` is a key of the file. The
    environment variable ``SPARK_INFER_SET_BATCH__DEVICE`` sets the same key, and
    ``SPARK_INFER_SET_DATE`` the parameter ``date``. Settings win over the environment, the
    environment over the file.

    Returns:
        The configuration, and the given parameters as they were written.

    Raises:
        ConfigError: The file cannot be read, or a key or value in it is wrong.
    """
    file = Path(path)
    data = _read_yaml(file)
    given = {**_from_environment(environment, data), **settings}
    for name, value in given.items():
        if "." in name:
            _override(data, name, value, file)
    try:
        config = JobConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{file}: {_explain(error)}") from None
    return config, {name: value for name, value in given.items() if "." not in name}


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, refusing repeated keys."""
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key!r} stands twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        # A SafeLoader all the same.
        data = yaml.load(file.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506
    except OSError as error:
        raise ConfigError(f"job file {file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"job file {file} is not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"job file {file} must be a mapping of keys, got {type(data).__name__}")
    return data


def _from_environment(environment: Mapping[str, str], data: Mapping[str, Any]) -> dict[str, str]:
    declared = data.get("parameters")
    names = {str(name).upper(): str(name) for name in declared} if declared else {}
    found = {}
    for variable, value in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX):
            word = variable.removeprefix(ENVIRONMENT_PREFIX)
            found[names.get(word, word.lower().replace("__", "."))] = value
    return found


def _override(data: dict[str, Any], name: str, value: Any, file: Path) -> None:
    *sections, key = name.split(".")
    target: Any = data
    for section in sections:
        if section not in JobConfig.model_fields and target is data:
            raise ConfigError(
                f"setting {name!r}: {file} has no section {section!r}"
                f"{nearest(section, JobConfig.model_fields)}"
            )
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            raise ConfigError(f"setting {name!r}: {section!r} in {file} is not a section")
    target[key] = yaml.safe_load(value) if isinstance(value, str) else value


def _explain(error: ValidationError) -> str:
    by_place: dict[tuple[int | str, ...], list[Any]] = {}
    for item in error.errors():
        by_place.setdefault(_place(item["loc"]), []).append(item)
    return "; ".join(_explain_place(place, items) for place, items in by_place.items())


def _place(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return a location without the member of a union that did not match."""
    return location[:-1] if location[-1:] and location[-1] in _UNION_MEMBERS else location


def _explain_place(place: tuple[int | str, ...], items: Sequence[Any]) -> str:
    if len(items) == 1:
        return _explain_one(items[0])
    first, *others = (item["msg"] for item in items)
    choices = [first, *(other.removeprefix("Input should be ") for other in others)]
    return f"{'.'.join(map(str, place))}: {', or '.join(choices)}{_received(items[0])}"


def _explain_one(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    key = str(item["loc"][-1]) if item["loc"] else ""
    if item["type"] == "extra_forbidden":
        known = _keys_at(item["loc"][:-1])
        return f"unknown key {where!r}{nearest(key, known) or f'; known keys: {sorted(known)}'}"
    if item["type"] == "missing":
        return f"key {where!r} is missing"
    message = item["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" + ("" if item["type"] == "value_error" else _received(item))


def _received(item: Any) -> str:
    return f", got {item['input']!r}"


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """Return the known keys of the section at a location of the job file."""
    model: Any = JobConfig
    for part in location:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if annotation is None:
            continue
        arguments = [annotation, *getattr(annotation, "__args__", ())]
        sections = [a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)]
        model = sections[0] if sections else model
    return list(model.model_fields)
