from __future__ import annotations

import gc
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.backends.failures.memory import is_out_of_memory
from spark_infer.backends.torch.backend import TorchBackend
from spark_infer.backends.torch.cuda import CudaBackend

MIB = 2**20


class Mixed(nn.Module):
    """Tensors of three types to outputs of three types, some of them views."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(50, 16)
        self.weight = nn.Parameter(torch.randn(16))

    def forward(
        self, x: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        embedded = self.embed(ids) * mask[:, :, None]
        score = embedded.sum(1) @ self.weight + x
        return score, embedded.transpose(1, 2), ids.flip(1), score.bfloat16(), mask, x


class Wide(nn.Module):
    """16 KiB of outputs for each row."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4096)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x).sum(1)


class Counting(nn.Module):
    """Adds the number of its batches, which is kept on the device."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("num_batches", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.num_batches += 1
        return x + self.num_batches


class Slow(nn.Module):
    """Keeps the device busy for about a second, when told to."""

    busy = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.busy:
            torch.cuda._sleep(2_000_000_000)
        return x * 2


class Positions(nn.Module):
    """Makes a tensor of its own, and holds one that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = torch.tensor([100.0])

    def forward(self, x: torch.Tensor, x_mask: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(x.shape[1], device=x.device)
        return (x * positions * x_mask).sum(1) + self.constant


def mixed(num_rows: int, longest: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(num_rows)
    return {
        "x": rng.standard_normal(num_rows, np.float32),
        "ids": rng.integers(0, 50, (num_rows, longest)),
        "mask": rng.random((num_rows, longest)) < 0.7,
    }


def assert_equal(found: Any, expected: Any) -> None:
    assert len(found) == len(expected)
    for output, wanted in zip(found, expected, strict=True):
        assert output.dtype == wanted.dtype
        tolerance = 0.05 if output is found[3] else 1e-5
        np.testing.assert_allclose(output, wanted, rtol=tolerance, atol=tolerance)


@pytest.fixture
def little_memory() -> Iterator[int]:
    """Let this process have little of the device's memory, and return how much."""
    gc.collect()
    torch.cuda.empty_cache()
    limit = torch.cuda.memory_reserved() + 256 * MIB
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.mem_get_info()[1])
    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_many_pending_batches_give_what_the_cpu_gives() -> None:
    host = TorchBackend(Mixed(), [])
    device = CudaBackend(Mixed(), [])
    rnd = random.Random(0)
    for _ in range(3):
        batches = [mixed(rnd.choice([1, 7, 900]), rnd.choice([1, 30])) for _ in range(20)]
        batches.append(mixed(0, 3))
        pending = [(device.submit(batch), batch) for batch in batches]
        rnd.shuffle(pending)
        outputs = [(wait(), batch) for wait, batch in pending]
        # Compared last: the outputs of no batch are overwritten by another.
        for found, batch in outputs:
            assert_equal(found, host.run(batch))


def test_batches_run_in_the_order_in_which_they_were_submitted() -> None:
    backend = CudaBackend(Counting(), ["y"])
    pending = [backend.submit({"x": np.zeros(2, np.float32)}) for _ in range(50)]
    numbers = [wait()[0].tolist() for wait in reversed(pending)]
    assert numbers == [[number, number] for number in range(50, 0, -1)]


def test_tensors_may_change_once_a_batch_is_submitted() -> None:
    backend = CudaBackend(Slow(), ["y"])
    x = np.ones(1000, np.float32)
    wait = backend.submit({"x": x})
    x[:] = -1
    assert (wait()[0] == 2).all()


def test_inputs_travel_while_the_model_runs_and_nothing_waits() -> None:
    model = Slow()
    backend = CudaBackend(model, ["y"])
    batch = {"x": np.ones(1000, np.float32)}
    # The first batches allocate and load kernels, which may wait for the device.
    for wait in [backend.submit(batch) for _ in range(3)]:
        wait()
    model.busy = True
    first = backend.submit(batch)
    second = backend.submit(batch)
    backend._uploads.synchronize()
    assert not torch.cuda.current_stream().query()
    assert (first()[0] == 2).all()
    assert not torch.cuda.current_stream().query()
    assert (second()[0] == 2).all()
    assert torch.cuda.current_stream().query()


def test_batches_nobody_waits_for_disturb_no_others() -> None:
    backend = CudaBackend(Slow(), ["y"])
    for number in range(200):
        batch = {"x": np.full(5000, number, np.float32)}
        wait = backend.submit(batch)
        if number % 3 == 0:
            assert (wait()[0] == 2 * number).all()


def test_other_threads_submit_and_wait() -> None:
    backend = CudaBackend(Mixed(), [], device="cuda")
    batch = mixed(500, 20)
    found: list[Any] = []
    pending: list[Any] = []
    for work in (lambda: pending.append(backend.submit(batch)), lambda: found.append(pending[0]())):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert_equal(found[0], TorchBackend(Mixed(), []).run(batch))


def test_buffers_are_pinned_and_used_again() -> None:
    backend = CudaBackend(Slow(), ["y"])
    first = backend._stage(torch.zeros(3))
    assert first.tensor.is_pinned()
    backend._staging.give_back([first])
    assert backend._stage(torch.zeros(4)).buffer is first.buffer


def test_running_out_of_memory_is_known_and_survived(little_memory: int) -> None:
    backend = CudaBackend(Wide(), ["y"])
    many = {"x": np.ones((2**16, 4), np.float32)}
    few = {"x": many["x"][:2048]}
    expected = backend.run(few)[0]
    for _ in range(3):
        pending = backend.submit(few)
        with pytest.raises(torch.OutOfMemoryError) as caught:
            backend.submit(many)
        assert is_out_of_memory(caught.value)
        del caught
        backend.release()
        np.testing.assert_array_equal(pending()[0], expected)
        np.testing.assert_array_equal(backend.run(few)[0], expected)
    memory = backend.memory()
    assert 0 < memory.peak_bytes <= memory.limit_bytes <= little_memory


def test_a_predictor_survives_running_out_of_memory(little_memory: int) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=list("abcd"))], outputs=[si.Output("y")]
    )
    values = np.random.default_rng(0).standard_normal((2**16, 4), np.float32)
    rows = pa.RecordBatch.from_arrays([*map(pa.array, values.T)], names=list("abcd"))
    backend = CudaBackend(Wide(), ["y"])
    predictor = si.Predictor(si.LocalModel(backend), signature, si.BatchOptions(batch_size=2**16))
    predicted = predictor.predict(rows)
    assert predicted["rejected_reason"].null_count == len(values)
    parts = [backend.run({"x": part})[0] for part in np.split(values, 128)]
    np.testing.assert_allclose(
        predicted["y"].to_numpy(), np.concatenate(parts), rtol=1e-3, atol=1e-3
    )


def test_memory_is_given_back() -> None:
    backend = CudaBackend(Wide(), ["y"])
    backend.run({"x": np.ones((2**14, 4), np.float32)})
    before = torch.cuda.memory_reserved()
    assert backend.memory().peak_bytes >= before >= 256 * MIB
    backend.release()
    assert torch.cuda.memory_reserved() < before


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_exported_program_makes_its_tensors_on_the_device(
    tmp_path: Path, precision: Any
) -> None:
    signature = si.Signature(inputs=[si.RaggedInput("x", column="a")], outputs=[si.Output("y")])
    bundle = si.save_bundle(tmp_path / "b", Positions(), signature=signature)
    rows = pa.RecordBatch.from_pydict({"a": pa.array([[1, 2, 3], [4], []], pa.list_(pa.float32()))})
    for device in ("cuda", "cuda:0"):
        backend = load_backend(bundle, si.ModelOptions(device=device, precision=precision))
        predicted = si.Predictor(si.LocalModel(backend), bundle).predict(rows)
        assert predicted["y"].to_pylist() == [108.0, 100.0, 100.0]
