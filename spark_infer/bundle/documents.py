"""Dataclasses as strict JSON. What a field may hold is said once, by its annotation.

The annotation is checked when an object is made, whether a user makes it or a file is read.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
import os
import reprlib
import typing
from collections.abc import Container, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from spark_infer.errors import ConfigError, SignatureError, SparkInferError, nearest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_DEPTH = 32
"""Most levels of lists and objects in a document."""

_PART = 1000
"""Most items of a field that are checked at once."""
_BEGIN, _END = 400, 200
"""Characters of a message that stay where its middle is left out."""

ONLY_IF_SET = {"only_if_set": True}
"""Metadata of a field that a document has only where it is not its default.

So a field that is added later changes no document, and an earlier one is read as before.
"""


def parse(text: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Return the data of a JSON document.

    Raises:
        ValueError: It is no JSON in UTF-8, repeats a key, is nested deeper than ``max_depth``, or
            holds what JSON or UTF-8 cannot: NaN, an infinite number, half a surrogate pair.
    """
    try:
        data = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_finite,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {max_depth} levels") from None
    if _depth(data, max_depth) > max_depth:
        raise ValueError(f"it is nested deeper than {max_depth} levels")
    json.dumps(data, ensure_ascii=False).encode("utf-8")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"key {shown(name)} is there twice")
        found[name] = value
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{shown(text)} is no finite number")
    return number


def _depth(data: Any, most: int) -> int:
    """Return how deep lists and objects are nested, counted to one more than ``most``."""
    if not isinstance(data, (dict, list)):
        return 0
    if most == 0:
        return 1
    items = data.values() if isinstance(data, dict) else data
    return 1 + max((_depth(item, most - 1) for item in items), default=0)


def to_json(instance: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a dataclass as JSON data: all but those of ``ONLY_IF_SET``, if unset."""
    return {
        field.name: _plain(value)
        for field in dataclasses.fields(instance)
        if (value := getattr(instance, field.name)) != field.default
        or field.metadata != ONLY_IF_SET
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


def values_of(
    kind: type[DataclassInstance], data: object, *, where: str, besides: str | None = None
) -> dict[str, Any]:
    """Return a JSON object that has every field of a dataclass, and nothing else.

    Those of ``ONLY_IF_SET`` may be missing.

    Args:
        kind: The dataclass.
        data: The object.
        where: Its place in the document, for the message.
        besides: A key that must be there and is left out of the result.

    Raises:
        SignatureError: It is no object, or a key is missing or unknown.
    """
    if not isinstance(data, dict):
        raise SignatureError(f"{where} must be an object, got {shown(data)}")
    fields = dataclasses.fields(kind)
    names = [field.name for field in fields]
    known = names if besides is None else [besides, *names]
    needless = {field.name for field in fields if field.metadata == ONLY_IF_SET}
    for name in known:
        if name not in data and name not in needless:
            raise SignatureError(f"{where}: key {name!r} is missing")
    for key in data:
        if key not in known:
            raise SignatureError(f"{where}: key {shown(key)} is unknown{nearest(key[:100], known)}")
    return {name: data[name] for name in names if name in data}


def check_fields(
    instance: DataclassInstance,
    *,
    where: str,
    error: type[SparkInferError] = SignatureError,
    but: Container[str] = (),
) -> None:
    """Raise ``error`` unless each field, ``but`` some, holds exactly what its annotation says."""
    for name, adapter in _adapters(type(instance)).items():
        if name in but:
            continue
        for start, part in _parts(getattr(instance, name)):
            try:
                adapter.validate_python(part, strict=True)
            except ValidationError as problem:
                first = problem.errors(include_url=False, include_context=False)[0]
                place = _place(first["loc"], start)
                wanted = first["msg"].removeprefix("Input should be ")
                raise error(
                    f"{where}: {name}{place} must be {wanted}, got {shown(first['input'])}"
                ) from None


def _parts(value: Any) -> Iterator[tuple[int, Any]]:
    """Yield a value in parts, and the position of each in a list.

    pydantic describes all that is wrong in a value, which takes half a minute for a million items.
    """
    if not isinstance(value, (dict, list, tuple)) or len(value) <= _PART:
        yield 0, value
    elif isinstance(value, dict):
        items = iter(value.items())
        while part := dict(itertools.islice(items, _PART)):
            yield 0, part
    else:
        for start in range(0, len(value), _PART):
            yield start, value[start : start + _PART]


def _place(steps: Sequence[str | int], start: int) -> str:
    """Return the place of a value in a field, of which a part from ``start`` was looked at."""
    first = next((i for i, step in enumerate(steps) if isinstance(step, int)), None)
    return "".join(
        f"[{shown(start + int(step) if i == first else step)}]" for i, step in enumerate(steps)
    )


@functools.cache
def _adapters(kind: type[DataclassInstance]) -> dict[str, TypeAdapter[Any]]:
    hints = typing.get_type_hints(kind)
    return {f.name: TypeAdapter(hints[f.name]) for f in dataclasses.fields(kind)}


def as_tuple(value: object, *, where: str) -> tuple[Any, ...]:
    """Return what a user gave as a list; its order counts, so sets are refused.

    Raises:
        SignatureError: It is no list.
    """
    if isinstance(value, str):
        raise SignatureError(f"{where} must be a list, not a string")
    if not isinstance(value, (bytes, Mapping, Set)):
        try:
            # Whether it is iterable is asked here.
            return tuple(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise SignatureError(f"{where} must be a list, got {shown(value)}")


def check_kind(
    value: object,
    kinds: type | tuple[type, ...],
    *,
    name: str,
    wanted: str,
    error: type[SparkInferError] = ConfigError,
) -> None:
    """Raise ``error`` unless an argument is of a kind. A truth value is no number."""
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise error(f"{name} must be {wanted}, got {shown(value)}")


def as_path(value: object, *, name: str, error: type[SparkInferError], or_else: str = "") -> Path:
    """Return a path that a user gave.

    Raises:
        error: It is none; ``or_else`` says in the message what else there could be.
    """
    try:
        # Whether it is a path is asked here.
        path = Path(value)  # type: ignore[arg-type]
        is_path = bool(value) and b"\0" not in os.fsencode(path)
    except (TypeError, ValueError):
        is_path = False
    if not is_path:
        raise error(f"{name} must be a path{or_else}, got {shown(value)}")
    return path


def shown(value: object) -> str:
    """Return a value as Python writes it, on one line and cut when long; its type if it cannot."""
    return " ".join(_short.repr(value).split())


def cut(message: object) -> str:
    """Return a message without its middle where it is long, such as one that quotes a file."""
    text = str(message)
    if len(text) <= _BEGIN + _END:
        return text
    return f"{text[:_BEGIN]}...{text[-_END:]}"


class _Short(reprlib.Repr):
    def repr1(self, x: Any, level: int) -> str:
        try:
            return super().repr1(x, level)
        except Exception:
            # Anything may come from a repr; Python refuses to write integers of 4,300 digits.
            return f"<{type(x).__name__}>"


_short = _Short()
_short.maxstring = _short.maxother = 100
