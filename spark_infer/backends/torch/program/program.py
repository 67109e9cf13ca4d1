"""A model's graph as plain JSON: what a bundle of format ``export`` holds beside its weights.

torch's own archives are not loaded: their loader evaluates size expressions as Python code, falls
back to pickles and opens libraries. A program is a list of calls of named operators on named
values. Each name is checked and nothing in it is evaluated, so a program that was tampered with
can compute something else, and that is all it can do.

```json
{"inputs": ["x", "x_mask"],
 "tensors": [{"name": "p_weight", "tensor": "weight", "kind": "parameter"}],
 "nodes": [{"name": "mul", "operator": "aten.mul.Tensor", "arguments": [{"node": "x"}, 2.0]}],
 "outputs": [{"node": "mul"}]}
```

An argument is null, a boolean, a number, a text, a list of arguments, or an object with one key:
``node`` (a value by name), ``float`` (``nan``, ``inf``, ``-inf``), ``dtype``, ``layout``,
``memory_format``, ``device`` (always ``"here"``: where the bundle is loaded), or ``graph`` (the
branches of a condition).
"""

from __future__ import annotations

import json
import keyword
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from spark_infer.bundle.documents import parse
from spark_infer.errors import BundleError

if TYPE_CHECKING:
    from typing_extensions import Self

PROGRAM_FILE = "program.json"
_MAX_BYTES = 64 * 2**20
_MAX_VALUES = 1_000_000
"""Most lists, objects and items of them: each takes memory, however short it is written."""
_MAX_NAMED = 100
_TOO_LARGE = f"{PROGRAM_FILE} is larger than a program can be; save the model with format='module'"
_MAX_DEPTH = 200
_MAX_NAME = 500


def _is_name(name: str) -> str:
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name) or name == "self":
        raise ValueError("a name is an identifier")
    return name


Name = Annotated[str, Field(max_length=_MAX_NAME), AfterValidator(_is_name)]
Text = Annotated[str, Field(max_length=_MAX_NAME)]


Item = TypeVar("Item")
# What is wrong with a million items is not collected: that takes a hundred times their memory.
Items = Annotated[list[Item], FailFast()]


def _are_few(value: Any) -> Any:
    if isinstance(value, dict) and len(value) > _MAX_NAMED:
        raise ValueError(f"there are {len(value):,} keys, more than {_MAX_NAMED}")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    _few_keys = model_validator(mode="before")(_are_few)


class Tensor(_Part):
    """A value that is stored with the weights.

    Attributes:
        name: Its name in the program.
        tensor: Its name in the weights file.
        kind: A ``parameter`` may be stored in half precision, a ``buffer`` keeps its type.
    """

    name: Name
    tensor: Text
    kind: Literal["parameter", "buffer"]


class Node(_Part):
    """One call of an operator.

    Attributes:
        name: Name of its result.
        operator: What is called, such as ``aten.linear.default``.
        arguments: Its arguments in order.
        named: Its arguments by name.
    """

    name: Name
    operator: Text
    arguments: list[JsonValue] = []
    named: Annotated[dict[Name, JsonValue], BeforeValidator(_are_few)] = {}


class Graph(_Part):
    """Calls in order.

    Attributes:
        inputs: Names of the values that it is given.
        nodes: The calls; each sees the results of those before it.
        outputs: What it returns, as arguments.
    """

    inputs: Items[Name]
    nodes: Items[Node]
    outputs: list[JsonValue]

    @classmethod
    def of(cls, data: JsonValue) -> Self:
        """Return a graph from the data of a document.

        Raises:
            ValueError: It is none; the message says what is wrong first.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"])) or "it"
            raise ValueError(f"{place}: {first['msg']}") from None


class Program(Graph):
    """A model's graph.

    Attributes:
        tensors: Its weights, by the names under which the nodes see them.
    """

    tensors: Items[Tensor]

    def write(self, root: Path) -> None:
        """Write the program under ``root``.

        Raises:
            BundleError: It is too large to be read again.
        """
        text = json.dumps(self.model_dump(), allow_nan=False, separators=(",", ":")).encode()
        _check_size(text)
        (root / PROGRAM_FILE).write_bytes(text)

    @classmethod
    def read(cls, root: Path) -> Program:
        """Read the program under ``root``.

        Raises:
            BundleError: It is missing, or not what ``write`` writes.
        """
        path = root / PROGRAM_FILE
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise BundleError(_TOO_LARGE)
            text = path.read_bytes()
            _check_size(text)
            return cls.of(parse(text, _MAX_DEPTH))
        except ValueError as error:
            raise BundleError(f"{PROGRAM_FILE} is no program: {error}") from None
        except OSError as error:
            raise BundleError(
                f"{PROGRAM_FILE} cannot be read ({error.strerror}); save the bundle again"
            ) from None


def _check_size(text: bytes) -> None:
    if len(text) > _MAX_BYTES or sum(map(text.count, (b"[", b"{", b","))) > _MAX_VALUES:
        raise BundleError(_TOO_LARGE)
