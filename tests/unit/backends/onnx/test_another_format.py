"""A file that is a graph of ONNX, and in ONNX Runtime's own format another model."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, TensorProto, helper

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.bundle.files.digest import SUMS_FILE, seal

# As text of protocol buffers: version 8 of the format, and a field that ONNX does not know, whose
# tag and size are read as the place of a table and the mark of ONNX Runtime's own format.
_BEGIN = b"\x08\x08\x7a\x04ORTM\x7a"
_ROOT = int.from_bytes(_BEGIN[:4], "little")
_TABLE_SIZE = 72


def graph(node: Any, *weights: TensorProto) -> ModelProto:
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 2]) for n in "xy")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_graph([node], "g", [x], [y], list(weights))
    return helper.make_model(made, ir_version=8, opset_imports=opsets)


def in_runtimes_format(model: ModelProto, path: Path) -> bytes:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    ort.InferenceSession(model.SerializeToString(), options)
    return path.read_bytes()


def hidden(inner: bytes) -> bytes:
    """Return a field that a reader of ONNX passes over, with a model in ONNX Runtime's format.

    The root table is written anew at the place that the first bytes tell, and refers to the parts
    of the model behind it.
    """
    (root,) = struct.unpack_from("<I", inner)
    table = root - struct.unpack_from("<i", inner, root)[0]
    count = struct.unpack_from("<H", inner, table)[0] // 2 - 2
    fields = struct.unpack_from(f"<{count}H", inner, table + 4)
    base = _ROOT + _TABLE_SIZE
    places = [4 + 4 * n if field else 0 for n, field in enumerate(fields)]
    header = struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * count, *places)
    body = [len(header)]
    for n, field in enumerate(fields):
        target = root + field + struct.unpack_from("<I", inner, root + field)[0]
        body.append(base + target - (_ROOT + 4 + 4 * n) if field else 0)
    content = bytearray(base + len(inner))
    size = len(content) - len(_BEGIN) - 4
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    content[: len(_BEGIN) + 4] = _BEGIN + length
    content[_ROOT - len(header) : _ROOT] = header
    content[_ROOT : _ROOT + 4 * len(body)] = struct.pack(f"<i{count}I", *body)
    content[base:] = inner
    return bytes(content)


def test_the_graph_that_was_checked_is_the_one_that_runs(tmp_path: Path) -> None:
    bundle = si.save_bundle(
        tmp_path / "b", graph(helper.make_node("Relu", ["x"], ["y"])), inputs={"x": ["a", "b"]}
    )
    gelu = helper.make_node("BiasGelu", ["x", "bias"], ["y"], domain="com.microsoft")
    other = graph(gelu, helper.make_tensor("bias", TensorProto.FLOAT, [2], [7.0, 7.0]))
    file = bundle.artifact_path / "model.onnx"
    checked = file.read_bytes()
    file.write_bytes(hidden(in_runtimes_format(other, tmp_path / "other.ort")) + checked)
    for name in (SUMS_FILE, "examples.json"):
        (bundle.path / name).unlink()
    seal(bundle.path)
    rows = {"x": np.array([[-1, 2]], np.float32)}
    # Whoever lets ONNX Runtime choose runs the other one.
    (chosen,) = ort.InferenceSession(file.read_bytes()).run(None, rows)
    assert chosen.tolist() != [[0.0, 2.0]]
    assert load_backend(bundle.path).run(rows)[0].tolist() == [[0.0, 2.0]]
