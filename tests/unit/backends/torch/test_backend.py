from __future__ import annotations

import gc
import weakref
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

from spark_infer.backends.torch import backend as torch_backend
from spark_infer.backends.torch.backend import TorchBackend, check_device
from spark_infer.errors import ConfigError, PredictionError, RuntimeUnavailable

X = {"x": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, -6.0]], np.float32)}


class Call(nn.Module):
    """Calls a function with its tensors."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: torch.Tensor) -> Any:
        return self.function(*tensors)


class Last(nn.Module):
    """Returns the last state of a recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x[:, :, None])[0][:, -1]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def read_only(values: np.ndarray) -> np.ndarray:
    return np.frombuffer(values.tobytes(), values.dtype).reshape(values.shape)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x + 1, x * 2),
        lambda x: [x + 1, x * 2],
        lambda x: {"double": x * 2, "more": x + 1, "other": x},
    ],
    ids=["tuple", "list", "dict"],
)
def test_outputs_come_in_the_order_of_the_signature(function: Any) -> None:
    outputs = TorchBackend(Call(function), ["more", "double"]).run(X)
    np.testing.assert_array_equal(outputs[0], X["x"] + 1)
    np.testing.assert_array_equal(outputs[1], X["x"] * 2)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: {"z": x, "a": x}, r"returned a dict with \['a', 'z'\], without 'y'"),
        (lambda x: None, "the model returned NoneType; return a tensor, a tuple of tensors"),
        (lambda x: (x, 1), "the model returned int"),
        (lambda x: {"y": 1.0}, "the model returned float"),
    ],
)
def test_outputs_of_no_tensor_are_named(function: Any, message: str) -> None:
    with pytest.raises(PredictionError, match=message):
        TorchBackend(Call(function), ["y"]).run(X)


def test_read_only_memory_is_shared_without_a_warning() -> None:
    values = read_only(X["x"])
    assert not values.flags.writeable
    seen = []
    model = Call(lambda x: (seen.append(x.data_ptr()), x)[1])
    TorchBackend(model, ["y"], is_program=True).run({"x": values})
    assert seen == [values.__array_interface__["data"][0]]


def test_a_tensor_keeps_its_memory_alive() -> None:
    values = read_only(X["x"])
    alive = weakref.ref(values)
    tensor = torch_backend.view(values)
    del values
    gc.collect()
    assert alive() is not None
    assert tensor.tolist() == X["x"].tolist()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int64", "float16", "float64"])
def test_every_type_of_tensor_is_taken(dtype: str) -> None:
    values = read_only(np.array([[0, 1]], dtype))
    (output,) = TorchBackend(Call(lambda x: x), ["y"]).run({"x": values})
    assert output.tolist() == [[0, 1]]
    empty = np.zeros((0, 2), dtype)
    assert TorchBackend(Call(lambda x: x), ["y"]).run({"x": empty})[0].shape == (0, 2)


def test_views_that_are_not_contiguous_are_taken() -> None:
    (output,) = TorchBackend(Call(lambda x: x), ["y"]).run({"x": X["x"][::-1, 1:]})
    assert output.tolist() == [[-6.0], [4.0], [2.0]]


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.02), ("float16", 0.003)])
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(2, 4),
        lambda: nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 4)),
        lambda: nn.Sequential(nn.LayerNorm(2), nn.Linear(2, 4), nn.LayerNorm(4), nn.PReLU()),
        lambda: nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Softmax(1)),
        lambda: Last(nn.GRU(1, 4, batch_first=True)),
        lambda: nn.Sequential(nn.Unflatten(1, (1, 2)), nn.Conv1d(1, 3, 2)),
    ],
    ids=["linear", "batchnorm", "layernorm", "softmax", "gru", "conv"],
)
def test_half_precision_is_close_to_full(make: Any, precision: Any, tolerance: float) -> None:
    torch.manual_seed(0)
    full = make().eval()
    half = make().eval()
    half.load_state_dict(full.state_dict())
    (expected,) = TorchBackend(full, ["y"]).run(X)
    (output,) = TorchBackend(half, ["y"], precision=precision).run(X)
    assert output.dtype == np.float32
    assert not np.array_equal(output, expected)
    np.testing.assert_allclose(output, expected, atol=tolerance * max(1, np.abs(expected).max()))


def test_half_precision_stores_matrices_in_half_the_memory() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.BatchNorm1d(4), nn.GRU(4, 4))
    model.register_buffer("constants", torch.ones(2, 2))
    TorchBackend(model, ["y"], precision="bfloat16")
    halves = {name for name, value in model.state_dict().items() if value.dtype == torch.bfloat16}
    assert halves == {"0.weight", *(f"3.{name}" for name in model[3].state_dict())}


def test_half_precision_keeps_the_precision_of_inputs() -> None:
    amount = {"x": np.array([[16_777_217.0 - 1]], np.float32)}
    model = Call(lambda x: x - 16_777_215)
    assert TorchBackend(model, ["y"], precision="bfloat16").run(amount)[0].tolist() == [[1.0]]


def test_half_outputs_become_float32() -> None:
    model = Call(lambda x: (x.bfloat16(), x.half(), x.double()))
    outputs = TorchBackend(model, ["a", "b", "c"]).run(X)
    assert [output.dtype for output in outputs] == [np.float32, np.float32, np.float64]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [1, 2])
def test_threads(count: int) -> None:
    TorchBackend(Call(lambda x: x), ["y"], threads=count)
    assert torch.get_num_threads() == count
    TorchBackend(Call(lambda x: x), ["y"])
    assert torch.get_num_threads() == count


def test_devices() -> None:
    check_device("cpu")
    for device in ("gpu", "", "cuda:x"):
        with pytest.raises(ConfigError, match=f"device {device!r} is unknown; use 'cpu', 'cuda'"):
            check_device(device)
    with pytest.raises(ConfigError, match="device 'mps' is not supported"):
        check_device("mps")
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(RuntimeUnavailable, match=f"device '{absent}' is not there: torch .* sees"):
        check_device(absent)


def test_arrow_memory_of_a_record_batch_is_taken() -> None:
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_pydict({"a": pa.array([1.0, 2.0], pa.float32())})
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    received = pa.ipc.open_stream(sink.getvalue()).read_next_batch()
    values = np.frombuffer(received["a"].buffers()[1], np.float32, count=2)
    assert TorchBackend(Call(lambda x: x * 2), ["y"]).run({"x": values})[0].tolist() == [2, 4]


def subtract_in_numpy(x: torch.Tensor) -> torch.Tensor:
    values = x.numpy()
    values -= 1.0
    return x


@pytest.mark.parametrize("share", [np.copy, read_only], ids=["writable", "read-only"])
@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.sub_(1.0),
        lambda x: x.data.sub_(1.0),
        lambda x: x.detach().sub_(1.0),
        lambda x: torch.from_dlpack(x).sub_(1.0),
        subtract_in_numpy,
        lambda x: torch.sub(x, 1.0, out=x),
    ],
    ids=["tensor", "data", "detach", "dlpack", "numpy", "out"],
)
def test_what_a_model_writes_to_its_input_stays_with_it(change: Any, share: Any) -> None:
    values = share(X["x"])
    backend = TorchBackend(Call(lambda x: change(x).sum(1)), ["y"])
    for _ in range(2):
        (output,) = backend.run({"x": values})
        assert output.tolist() == [1.0, 5.0, -3.0]
    np.testing.assert_array_equal(values, X["x"])


class Reuses(nn.Module):
    """Writes its output to memory that it keeps."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.whole = torch.zeros(3)
        self.out = torch.zeros(3) if kind == "tensor" else np.zeros(3, np.float32)

    def forward(self, x: torch.Tensor) -> Any:
        if self.kind == "numpy":
            np.sum(x.numpy(), axis=1, out=self.out)
            return torch.from_numpy(self.out)
        out = self.out if self.kind == "tensor" else self.whole[: len(x)]
        torch.sum(x, 1, out=out)
        return {"y": out} if self.kind == "part" else out


@pytest.mark.parametrize("kind", ["tensor", "numpy", "part"])
def test_the_next_batch_changes_no_output(kind: str) -> None:
    backend = TorchBackend(Reuses(kind), ["y"])
    (first,) = backend.run(X)
    (second,) = backend.run({"x": X["x"] * 2})
    assert first.tolist() == [3.0, 7.0, -1.0]
    assert second.tolist() == [6.0, 14.0, -2.0]


def test_outputs_that_are_one_tensor_are_two_arrays() -> None:
    one, other = TorchBackend(Call(lambda x: (x, x)), ["a", "b"]).run(X)
    assert not np.shares_memory(one, other)
    assert not np.shares_memory(one, X["x"])


@pytest.mark.parametrize("is_program", [True, False])
def test_an_output_that_is_part_of_a_larger_tensor_keeps_its_own_memory_alone(
    is_program: bool,
) -> None:
    wide = np.ones((4, 1_000), np.float32)
    backend = TorchBackend(Call(lambda x: (x + 1)[:, 0]), ["y"], is_program=is_program)
    (output,) = backend.run({"x": wide})
    assert output.tolist() == [2.0] * 4
    assert torch.from_numpy(output).untyped_storage().nbytes() == 16


def test_the_surroundings_of_the_process_change_no_answer() -> None:
    backend = TorchBackend(nn.Linear(2, 1), ["y"])
    (plain,) = backend.run(X)
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = backend.run(X)
    assert found.tolist() == plain.tolist()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with pytest.raises(ConfigError, match=r"new tensors of torch\.bfloat16 in this process"):
            backend.run(X)
    finally:
        torch.set_default_dtype(torch.float32)
    assert backend.run(X)[0].tolist() == plain.tolist()


Pair = namedtuple("Pair", ["loss", "score"])


@pytest.mark.parametrize(
    ("function", "right"),
    [
        (lambda x: Pair(x[:, 0], x[:, 1]), ["loss", "score"]),
        (lambda x: x.max(1), ["values", "indices"]),
    ],
)
def test_outputs_with_names_of_their_own_stand_in_their_order(
    function: Any, right: list[str]
) -> None:
    TorchBackend(Call(function), right).run(X)
    TorchBackend(Call(function), ["a", "b"]).run(X)
    with pytest.raises(PredictionError, match=r"the model returns \['\w+', '\w+'\], and the sig"):
        TorchBackend(Call(function), right[::-1]).run(X)
    # Also where only one of the names is theirs.
    for names in ([right[1], "b"], ["a", right[0]]):
        with pytest.raises(PredictionError, match="the model returns"):
            TorchBackend(Call(function), names).run(X)
