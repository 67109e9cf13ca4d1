from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from spark_infer.backends.torch.program.graph import load_program
from spark_infer.backends.torch.program.program import PROGRAM_FILE, Program
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError


def node(operator: str, *arguments: Any, name: str = "y", **named: Any) -> dict[str, Any]:
    return {"name": name, "operator": operator, "arguments": list(arguments), "named": named}


X = {"node": "x"}


def program(*nodes: Any, **parts: Any) -> dict[str, Any]:
    outputs = [{"node": "y"}]
    return {"inputs": ["x"], "tensors": [], "nodes": [*nodes], "outputs": outputs} | parts


def load(root: Path, data: Any) -> torch.nn.Module:
    (root / PROGRAM_FILE).write_text(data if isinstance(data, str) else json.dumps(data))
    (root / "weights.safetensors").write_bytes(b"")
    return load_program(root, "cpu", 1)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (node("aten.mul.Tensor", X, 2.5), [2.5, 5.0]),
        (node("aten.add.Tensor", X, {"float": "inf"}), [torch.inf] * 2),
        (node("aten.sum.dim_IntList", X, [0], True), [3.0]),
        (
            node("aten.zeros.default", [2], dtype={"dtype": "int64"}, device={"device": "here"}),
            [0, 0],
        ),
        (
            node("aten.clone.default", X, memory_format={"memory_format": "contiguous_format"}),
            [1.0, 2.0],
        ),
        (node("aten.div.Tensor_mode", X, 2, rounding_mode="floor"), [0.0, 1.0]),
        (node("aten.where.self", X, X, X), None),
    ],
)
def test_programs_compute(tmp_path: Path, call: dict[str, Any], expected: Any) -> None:
    module = load(tmp_path, program(call))
    if expected is None:
        with pytest.raises(RuntimeError, match="bool"):
            module(torch.tensor([1.0, 2.0]))
    else:
        (output,) = module(torch.tensor([1.0, 2.0]))
        assert output.tolist() == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "program.json is no program"),
        ("[]", "is no program"),
        ("[" * 100_000, "is no program"),
        ('{"inputs": 1' + "0" * 100_000 + "}", "is no program"),
        ('{"inputs": [], "inputs": ["x"]}', "is no program: key 'inputs' is there twice"),
        ('{"inputs": ["x"], "outputs": [NaN]}', "is no program: 'NaN' is no finite number"),
        ('{"inputs": ["x"], "outputs": [-Infinity]}', "is no finite number"),
        ('{"inputs": ["x"], "outputs": [1e999]}', "is no finite number"),
        ('{"inputs": ["\\ud800"]}', "is no program"),
        (program(more=1), "more: Extra inputs are not permitted"),
        ({"inputs": []}, "nodes: Field required"),
        (program(inputs=["a b"]), "a name is an identifier"),
        (program(node("aten.relu.default", X, name="x")), "defines 'x' twice"),
        (program(inputs=["class"]), "a name is an identifier"),
        (program(inputs=["x\n"]), "a name is an identifier"),
        (program(inputs=[]), "takes 0 tensors, its signature says 1"),
        (program(node("aten.zeros.default", [1], device="meta")), "as 'device', not 'meta'"),
        (program(node("aten.add.Tensor", X, 1, alpha=["x"])), "as 'alpha', not"),
        (program(node("aten.add.Tensor", self=X, other=1)), "a name is an identifier"),
        (program(node("aten.zeros.default", [1], dtype=47)), "as 'dtype', not 47"),
        (program(node("aten.zeros.default", [1], dtype={"node": "x"})), "as 'dtype', not"),
        (program(node("aten.zeros.default", [1], dtype={"dtype": "quint8"})), "is no argument"),
        (program(node("aten.zeros.default", [1], layout={"layout": "sparse_coo"})), "no argument"),
        (program(node("aten.view.dtype", X, {"dtype": "bool"})), "as 'dtype', not"),
        (
            program(node("aten.grid_sampler.default", X, X, 7, 0, False)),
            "'interpolation_mode', not 7",
        ),
        (
            program(node("aten.grid_sampler.default", X, X, X, 0, False)),
            "'interpolation_mode', not",
        ),
        (program(node("operator.add", X, {"layout": "strided"})), "another kind of argument"),
        (program(inputs="x"), "inputs: Input should be a valid list"),
        (program(node("aten.save.default", X, "/tmp/x")), "'aten.save.default' is not one that"),
        (program(node("aten.mul.Tensor", {"node": "z"}, 1)), "uses 'z' before it is defined"),
        (program(node("aten.mul.Tensor", {"node": ["x"]}, 1)), "before it is defined"),
        (program(node("aten.mul.Tensor", {"node": "x", "dtype": "int8"})), "with the keys"),
        (program(node("aten.mul.Tensor", {"eval": "1+1"})), "'eval': '1.1', which is no argument"),
        (program(node("aten.mul.Tensor", {"dtype": "load"})), "'dtype': 'load', which is no"),
        (program(node("aten.mul.Tensor", {"dtype": 1})), "which is no argument"),
        (program(node("aten.mul.Tensor", {"device": "cuda:7"})), "which is no argument"),
        (program(node("aten.mul.Tensor", {"float": "1.5"})), "which is no argument"),
        (program(node("aten.mul.Tensor", {"graph": 1})), "a branch of the program is no graph"),
        (program(node("aten.mul.Tensor", X, **{"a b": 1})), "a name is an identifier"),
        (program(outputs=[X, {"node": "nowhere"}]), "uses 'nowhere' before it is defined"),
        (
            program(tensors=[{"name": "w", "tensor": "w", "kind": "parameter"}]),
            "'w' is in one of them only",
        ),
    ],
)
def test_damaged_programs_are_refused(tmp_path: Path, data: Any, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        load(tmp_path, data)


@pytest.mark.parametrize(
    "data",
    [
        program(*[1] * 1000),
        program(*[{}] * 1000),
        program(inputs=[1] * 1000),
        program(tensors=[[]] * 1000),
        program(**{f"more{i}": 1 for i in range(1000)}),
        program({f"more{i}": 1 for i in range(1000)}),
        program(node("operator.add", X, 1, **{f".{i}": 1 for i in range(1000)})),
    ],
)
def test_one_mistake_is_looked_for_and_not_all(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Program.model_validate(data)
    assert caught.value.error_count() <= 2


@pytest.mark.parametrize("item", ["1", "[]", "{}", '"x"', '{"node":"x"}'])
@pytest.mark.parametrize("part", ["inputs", "nodes", "outputs", "tensors"])
def test_a_program_of_too_many_values_is_refused(tmp_path: Path, part: str, item: str) -> None:
    items = ",".join([item] * 1_000_001)
    rest = json.dumps({key: value for key, value in program().items() if key != part})
    with pytest.raises(BundleError, match="larger than a program can be; save the model with"):
        load(tmp_path, f'{{"{part}":[{items}],{rest[1:]}')


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    large = Program.model_validate(program(outputs=[[1] * 1000] * 1000))
    with pytest.raises(BundleError, match="larger than a program can be"):
        large.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["forward", "__class__.x", "_parameters.w", "a..b", "a b", "a-b.é", "class.in", "code", "\n'"],
)
def test_tensors_may_have_any_name(tmp_path: Path, name: str) -> None:
    from safetensors.torch import save_file

    tensors = [{"name": "w", "tensor": name, "kind": "buffer"}]
    data = program(node("aten.add.Tensor", X, {"node": "w"}), tensors=tensors)
    (tmp_path / PROGRAM_FILE).write_text(json.dumps(data))
    save_file({name: torch.ones(1)}, tmp_path / "weights.safetensors")
    assert load_program(tmp_path, "cpu", 1)(torch.ones(1))[0].item() == 2


def test_conditions_are_not_nested_without_end(tmp_path: Path) -> None:
    deep: Any = {"inputs": [], "nodes": [], "outputs": []}
    for _ in range(25):
        call = node("higher_order.cond", True, {"graph": deep})
        deep = {"inputs": [], "nodes": [call], "outputs": [{"node": "y"}]}
    with pytest.raises(BundleError, match=r"nested too deep|is no program"):
        load(tmp_path, program(node("higher_order.cond", True, {"graph": deep})))


def test_text_stays_text(tmp_path: Path) -> None:
    evil = "');import os;os._exit(7);('"
    module = load(tmp_path, program(node("aten.div.Tensor_mode", X, 2, rounding_mode=evil)))
    with pytest.raises(RuntimeError, match="rounding_mode"):
        module(torch.ones(1))


def test_what_is_written_is_read(fraud: Bundle, tmp_path: Path) -> None:
    read = Program.read(fraud.artifact_path)
    read.write(tmp_path)
    assert Program.read(tmp_path) == read


_FUZZ = """
import json, os, random, sys
from pathlib import Path
import numpy as np, torch
import spark_infer as si
from spark_infer.backends.torch.program.graph import load_program
from spark_infer.errors import BundleError

root, seed = Path(sys.argv[1]), int(sys.argv[2])
words = ["", "x", "__class__", "__import__('os').system('true')", "aten.save.default", "os.system",
         "aten.from_file.default", "\\n", "a" * 600, "aten.relu.default", "nan", "here", "forward",
         "self.__init__", "cuda", "int64", "../x", "\\u2028", "lambda: 0"]
numbers = [0, 1, -1, 2, 7, 2**31, -(2**63), 2**64, 10**30, 0.5, -1e300, True, None]
random = random.Random(seed)
text = (root / "program.json").read_text()
data = json.loads(text)

def places(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
            yield (*path, key), "key"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))
    else:
        yield path, "value"

inputs = [torch.ones(3, 2), torch.ones(3, 4, dtype=torch.long), torch.ones(3, 4, dtype=torch.bool)]
counts = {"refused": 0, "runs": 0, "raises": 0}
memory = {}
def tensors_of(root):
    return memory

from spark_infer.backends.torch.program import graph
memory.update(graph.map_weights(root))
graph.map_weights = tensors_of
texts = {}
graph.Program.read = classmethod(lambda cls, root: cls.model_validate_json(texts["now"]))
load_program(root, "cpu", 3) if texts.setdefault("now", text) else None
spots = list(places(data))

def forbid(event, arguments):
    if event in ("open", "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen",
                 "socket.connect", "os.remove", "os.rename", "shutil.rmtree", "ctypes.dlopen"):
        os.write(2, f"forbidden: {event} {arguments}\\n".encode())
        os._exit(9)
    if event == "import" and arguments[0] not in sys.modules:
        os.write(2, f"forbidden: import {arguments[0]}\\n".encode())
        os._exit(9)

from pydantic import ValidationError
load_program(root, "cpu", 3)(*inputs)
repr(inputs)  # torch's error messages show tensors, and the first one imports what that takes
sys.addaudithook(forbid)
for path, what in spots:
    for _ in range(3):
        mutant = json.loads(text)
        spot = mutant
        for step in path[:-1]:
            spot = spot[step]
        if what == "key":
            spot[random.choice(words)] = spot.pop(path[-1])
        else:
            spot[path[-1]] = random.choice(words + numbers)
        texts["now"] = json.dumps(mutant)
        try:
            module = load_program(root, "cpu", 3)
        except (BundleError, ValidationError):
            counts["refused"] += 1
            continue
        try:
            with torch.inference_mode():
                module(*inputs)
            counts["runs"] += 1
        except Exception:
            counts["raises"] += 1
print(json.dumps(counts))
"""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.processes
def test_mutations_of_every_text_and_number_do_nothing_but_compute(
    fraud: Bundle, seed: int
) -> None:
    # In a process of its own, which ends with code 9 when anything is opened, started or imported.
    done = subprocess.run(
        [sys.executable, "-c", _FUZZ, str(fraud.artifact_path), str(seed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    counts = json.loads(done.stdout)
    assert counts["refused"] > 100
    assert counts["runs"] > 0
    assert counts["raises"] > 0
