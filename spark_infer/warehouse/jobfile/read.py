"""A job file, with what the environment and the command line set, to a job configuration."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spark_infer.bundle.documents import as_path, check_kind
from spark_infer.errors import ConfigError, nearest
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.jobfile.document import parse
from spark_infer.warehouse.jobfile.settings import apply, from_environment, known_keys
from spark_infer.warehouse.values import MisplacedError, shown

_MAX_BYTES = 2**20
"""Most of a job file."""
_MAX_ERRORS = 10
"""Most that are told at once."""


def read_job(
    path: str | os.PathLike[str], settings: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[JobConfig, dict[str, Any]]:
    """Read a job file.

    A setting whose name has no dot is a parameter; ``batch.device`` is a key of the file, and what
    starts with ``spark.`` is a key of Spark. The environment variable
    ``SPARK_INFER_SET_BATCH__DEVICE`` sets the same key, and ``SPARK_INFER_SET_DATE`` the parameter
    ``date``, where the job has one. Settings win over the environment, the environment over the
    file. Text is read as the type that is declared for its key.

    Returns:
        The configuration, and the given parameters as they were written.

    Raises:
        ConfigError: The file cannot be read, or a key or value in it is wrong.
    """
    file = as_path(path, name="the job file", error=ConfigError)
    for name in settings:
        check_kind(name, str, name="the name of a setting", wanted="text")
    data = _read_yaml(file)
    try:
        given = {**from_environment(environment, data), **settings}
        for name, value in given.items():
            if "." in name:
                apply(data, name, value)
        config = JobConfig.model_validate(data)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    except ValidationError as error:
        raise ConfigError(f"{file}: {_explain(error)}") from None
    return config, {name: value for name, value in given.items() if "." not in name}


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        data = parse(_content(file).decode())
    except OSError as error:
        raise ConfigError(f"job file {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"job file {file} is not UTF-8: {error.reason}") from None
    except ConfigError as error:
        raise ConfigError(f"job file {file} is not valid YAML: {error}") from None
    if not isinstance(data, dict):
        came = "nothing" if data is None else "text" if isinstance(data, str) else "list"
        raise ConfigError(f"job file {file} must be a mapping of keys, got {came}")
    return data


def _content(file: Path) -> bytes:
    """Return the bytes of a file, which may be a pipe: ``score <(envsubst < job.yaml)``."""
    with file.open("rb") as opened:
        content = opened.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {_MAX_BYTES:,} bytes")
    return content


def _explain(error: ValidationError) -> str:
    found = error.errors(include_url=False)
    rest = len(found) - _MAX_ERRORS
    told = "; ".join(map(_explain_one, found[:_MAX_ERRORS]))
    return f"{told}; and {rest:,} more" if rest > 0 else told


def _explain_one(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = known_keys(item["loc"][:-1])
        key = str(item["loc"][-1])
        return f"unknown key {where!r}{nearest(key, known) or f'; known keys: {sorted(known)}'}"
    if item["type"] == "missing":
        return f"key {where!r} is missing"
    if item["type"] == "value_error":
        cause = item["ctx"]["error"]
        if isinstance(cause, MisplacedError):
            where = ".".join([where, cause.place])
        return f"{where}: {cause}" if where else str(cause)
    return f"{where}: {item['msg']}, got {shown(item['input'])}"
