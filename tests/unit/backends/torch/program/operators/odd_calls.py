"""Calls admitted operators with odd arguments, and prints a digest of what each call gives.

Run twice with other values of MALLOC_PERTURB_, which fills memory that is taken and given back:
what differs has read memory that is not its own, or never filled its result.
``python odd_calls.py TRIALS [FIRST [PART_OF_A_NAME]]``
"""

from __future__ import annotations

import copy
import hashlib
import math
import os
import random
import resource
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from spark_infer.backends.torch.program.operators.admitted import find_operator, find_overload
from spark_infer.backends.torch.program.operators.arguments import check_call
from spark_infer.backends.torch.program.program import Node
from spark_infer.errors import BundleError, PredictionError
from tests.unit.backends.torch.program.operators.usual_calls import USUAL, tensor

_MEMORY = 8 * 2**30
_SIZES = [0, 0, 1, 1, 2, 3, 5]
_NUMBERS = [*range(-2, 6), 8, 100, 2**31 - 1, 2**31, 2**62, -(2**63)]
_FLOATS: list[Any] = [
    0.0,
    1.0,
    0.5,
    -1.0,
    2.0,
    100.0,
    1e-6,
    1e-18,
    {"float": "nan"},
    {"float": "inf"},
]
_TYPES = ["float32"] * 8
_TYPES += "float64 int64 int64 bool complex64 uint8 int32 float16 bfloat16".split()  # noqa: SIM905
_WORDS = """
    mean sum none reflect constant replicate circular linear lower L U left right trunc floor gesvd
    amax amin prod fro nuc ij xy tanh forward ortho same valid i,i->i ij,jk->ik
    """.split()  # noqa: SIM905
_SHAPES: list[list[int]] = [
    [],
    [3],
    [0],
    [2, 3],
    [4, 4],
    [0, 3],
    [2, 3, 4],
    [1, 2, 5],
    [1, 1, 4, 4],
    [2, 3, 4, 4],
    [1, 1, 3, 3, 3],
]


def admitted() -> Iterator[tuple[str, Any]]:
    """Yield each of torch's operators that a program may call, with its schema."""
    for full_name in sorted(torch._C._dispatch_get_all_op_names()):
        namespace, _, rest = full_name.partition("::")
        base, _, overload = rest.partition(".")
        name = f"aten.{base}.{overload or 'default'}"
        try:
            found = find_overload(name) if namespace == "aten" else None
        except BundleError:
            continue
        if found is not None:
            yield name, found._schema


class _Odd:
    """Makes odd calls; the same ones of the same seed."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.shape = self.random.choice(_SHAPES)
        self.dtype = self.random.choice(_TYPES)

    def changed(self, usual: list[Any]) -> list[Any]:
        """Return a call with one or two places changed."""
        call = copy.deepcopy(usual)
        for _ in range(self.random.choice((1, 1, 2))):
            self._change(call, self.random.randrange(len(call)))
        return call

    def _change(self, values: list[Any], place: int) -> None:
        value = values[place]
        if isinstance(value, list) and value and self.random.random() < 0.8:
            self._change(value, self.random.randrange(len(value)))
        elif isinstance(value, list) and value:
            values[place] = value[1:] if self.random.random() < 0.5 else [*value, value[0]]
        elif isinstance(value, dict) and value.get("shape") and self.random.random() < 0.85:
            shape = value["shape"] = list(value["shape"])
            shape[self.random.randrange(len(shape))] = self.random.choice([*_SIZES, 7, 50])
        elif isinstance(value, dict) and "shape" in value:
            values[place] = self.tensor()
        elif isinstance(value, bool):
            values[place] = not value
        elif isinstance(value, str):
            values[place] = self.random.choice(_WORDS)
        else:
            values[place] = self.random.choice([None, *_NUMBERS, *_FLOATS])

    def call(self, schema: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return arguments of the kinds that an operator declares."""
        arguments: list[Any] = []
        named = {}
        for argument in schema.arguments:
            defaults = argument.has_default_value() and self.random.random() < 0.45
            if argument.kwarg_only and not defaults:
                named[argument.name] = self.value(argument.real_type, argument.name)
            elif not argument.kwarg_only and defaults:
                arguments.append(_as_json(argument.default_value))
            elif not argument.kwarg_only:
                arguments.append(self.value(argument.real_type, argument.name))
        return arguments, named

    def value(self, kind: Any, name: str) -> Any:
        choice = self.random.choice
        if kind.kind() == "OptionalType":
            return None if self.random.random() < 0.5 else self.value(kind.getElementType(), name)
        if kind.kind() == "ListType":
            return [
                self.value(kind.getElementType(), name)
                for _ in range(choice((0, 1, 1, 2, 2, 3, 4)))
            ]
        if kind.kind() == "TensorType":
            return self.tensor(name in ("index", "indices", "offsets", "sorter", "pivots"))
        if kind.kind() in ("IntType", "SymIntType"):
            return choice(_NUMBERS[: None if self.random.random() < 0.1 else -4])
        return {
            "FloatType": choice(_FLOATS),
            "NumberType": choice([0, 1, 2, -1, 0.5, True, 3.7]),
            "BoolType": choice((True, False)),
            "StringType": choice(_WORDS),
            "ScalarTypeType": {"dtype": choice(_TYPES)},
            "LayoutType": {"layout": "strided"},
            "DeviceObjType": {"device": "here"},
            "MemoryFormatType": {"memory_format": "contiguous_format"},
        }.get(kind.kind())

    def tensor(self, whole: bool = False) -> dict[str, Any]:
        shape = list(self.shape)
        if shape and self.random.random() < 0.4:
            shape[self.random.randrange(len(shape))] = self.random.choice(_SIZES)
        elif self.random.random() < 0.3:
            shape = [
                self.random.choice(_SIZES) for _ in range(self.random.choice((0, 1, 2, 2, 3, 4)))
            ]
        dtype = self.dtype if self.random.random() < 0.7 else self.random.choice(_TYPES)
        return tensor(*shape, dtype="int64" if whole and self.random.random() < 0.8 else dtype)

    def given(self, value: Any) -> Any:
        """Return what an operator is given for a stored argument."""
        if isinstance(value, list):
            return [self.given(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "shape" in value:
            return self._filled(value["shape"], getattr(torch, value["dtype"]))
        ((kind, name),) = value.items()
        if kind == "float":
            return float(name)
        return torch.device("cpu") if kind == "device" else getattr(torch, name)

    def _filled(self, shape: list[int], dtype: torch.dtype) -> torch.Tensor:
        some = [0, 1, 2, 3, 1, 2, 4, 1, 0, 2] + ([-1, -3, 7] if self.random.random() < 0.3 else [])
        odd = [0.5, -0.25, math.nan, math.inf, 100.0] if dtype.is_floating_point else []
        some += odd if self.random.random() < 0.3 else []
        values = torch.tensor([self.random.choice(some) for _ in range(math.prod(shape))])
        result = values.to(dtype).reshape(shape)
        if result.ndim > 1 and self.random.random() < 0.1:
            return result.mT.contiguous().mT
        return result


def _as_json(value: Any) -> Any:
    return {"float": str(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _stored(value: Any) -> Any:
    """Return an argument without what only this script knows of it."""
    if isinstance(value, list):
        return [_stored(item) for item in value]
    return {"node": "x"} if isinstance(value, dict) and "shape" in value else value


def _bytes(result: Any) -> Iterator[bytes]:
    if isinstance(result, torch.Tensor):
        yield f"{result.dtype}{tuple(result.shape)}".encode()
        if 0 < result.numel() < 2**20:
            plain = result.resolve_conj().resolve_neg().contiguous().flatten()
            yield plain.view(torch.uint8).numpy().tobytes()
    elif isinstance(result, list | tuple):
        for item in result:
            yield from _bytes(item)
    else:
        yield repr(result).encode()


def outcome(name: str, schema: Any, seed: int) -> str:
    """Return what an odd call gives: refused, an error's type, a digest of the result, or wrote.

    That is said of a call that has changed a tensor that it was given, whatever came of it.
    """
    odd = _Odd(f"{name} {seed}")
    usual = USUAL.get(name) if seed % 4 else None
    arguments, named = odd.call(schema) if usual is None else (odd.changed(usual), {})
    try:
        call = Node(
            name="y",
            operator=name,
            arguments=_stored(arguments),
            named={key: _stored(value) for key, value in named.items()},
        )
        check_call(call, find_overload(name))
    except BundleError:
        return "refused"
    torch.manual_seed(seed)
    with torch.inference_mode():
        by_place, by_name = odd.given(arguments), {k: odd.given(v) for k, v in named.items()}
        given = [by_place, [*by_name.values()]]
        before = _digest(given)
        try:
            found = _digest(find_operator(name)(*by_place, **by_name))
        except PredictionError:
            found = "rejected"
        except Exception as error:
            found = type(error).__name__
        return found if _digest(given) == before else "wrote"


def _digest(result: Any) -> str:
    return hashlib.md5(b"|".join(_bytes(result)), usedforsecurity=False).hexdigest()


def main(trials: int, first: int = 0, part: str = "") -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    # The library of linear algebra prints to the same place.
    written = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for name, schema in admitted():
        if part in name:
            for seed in range(first, first + trials * (50 if name in USUAL else 1)):
                written.write(f"{name} {seed} ")
                written.flush()
                written.write(f"{outcome(name, schema, seed)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), *map(int, sys.argv[2:3]), *sys.argv[3:4])
