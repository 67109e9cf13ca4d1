"""The GPU backend against a device that is played by the host: tests/gpu has the real one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spark_infer.backends.failures.memory import Memory
from spark_infer.backends.torch import cuda as torch_cuda
from spark_infer.backends.torch.backend import TorchBackend
from spark_infer.backends.torch.cuda import CudaBackend

GIB = 2**30


class Stream:
    """Writes down what it is told."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def record_event(self) -> str:
        self.log.append(f"{self.name} records")
        return self.name

    def wait_event(self, event: str) -> None:
        self.log.append(f"{self.name} waits for {event}")


class Event:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    def record(self) -> None:
        self.log.append("main records the end")

    def synchronize(self) -> None:
        self.log.append("host waits")


class Model(nn.Module):
    """Writes down its calls; fails on negative inputs."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.log.append("model")
        if (x < 0).any():
            raise torch.OutOfMemoryError("CUDA out of memory")
        return (x * mask).sum(1), (x * 2).bfloat16()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a device in place that does its work at once, and return what happens on it."""
    log: list[str] = []
    make = TorchBackend.__init__

    def on_host(self: Any, *arguments: Any, device: str, **options: Any) -> None:
        log.append(f"module to {device}")
        make(self, *arguments, **options)

    @contextlib.contextmanager
    def stream(stream: Stream) -> Iterator[None]:
        log.append(f"in {stream.name}")
        yield
        log.append(f"out of {stream.name}")

    def record_stream(tensor: torch.Tensor, stream: Stream) -> None:
        log.append(f"{tensor.dtype} is used by {stream.name}")

    cuda = SimpleNamespace(
        Event=lambda blocking: Event(log),
        Stream=lambda device: Stream(log, "side"),
        current_device=lambda: 3,
        current_stream=lambda device: Stream(log, "main"),
        device=lambda device: contextlib.nullcontext(),
        empty_cache=lambda: log.append("empty cache"),
        get_per_process_memory_fraction=lambda device: 0.5,
        mem_get_info=lambda device: (6 * GIB, 16 * GIB),
        memory_stats_as_nested_dict=lambda device: {
            "reserved_bytes": {"all": {"peak": 3 * GIB, "current": GIB}}
        },
        stream=stream,
    )
    monkeypatch.setattr(torch_cuda, "cuda", cuda)
    monkeypatch.setattr(TorchBackend, "__init__", on_host)
    monkeypatch.setattr(torch.Tensor, "record_stream", record_stream)
    monkeypatch.setattr(
        torch_cuda, "_pinned", lambda dtype, size: log.append("pin") or torch.empty(size).to(dtype)
    )
    return log


def tensors(value: float) -> dict[str, np.ndarray]:
    x = np.array([[value, 1.0], [2.0, value]], np.float32)
    return {"x": x, "mask": np.array([[True, True], [True, False]])}


def test_a_batch_in_its_order(log: list[str]) -> None:
    backend = CudaBackend(Model(log), ["sum", "double"])
    wait = backend.submit(tensors(5.0))
    assert log == [
        "module to cuda:3",
        "pin",
        "pin",
        "in side",
        "side records",
        "out of side",
        "main waits for side",
        "torch.float32 is used by main",
        "torch.bool is used by main",
        "model",
        "pin",
        "pin",
        "main records the end",
    ]
    outputs = wait()
    assert log[-1] == "host waits"
    assert [output.tolist() for output in outputs] == [[6.0, 2.0], [[10.0, 2.0], [4.0, 10.0]]]
    assert [output.dtype for output in outputs] == [np.float32, np.float32]


def test_the_device_asked_for(log: list[str]) -> None:
    CudaBackend(Model(log), [], device="cuda:1")
    assert log == ["module to cuda:1"]


def test_buffers_are_used_again_by_batches_that_are_done_and_by_no_others(log: list[str]) -> None:
    backend = CudaBackend(Model(log), ["sum", "double"])
    pending = [backend.submit(tensors(value)) for value in (1.0, 2.0, 3.0)]
    assert log.count("pin") == 12
    totals = [wait()[0] for wait in reversed(pending)]
    assert [total.tolist() for total in totals] == [[4.0, 2.0], [3.0, 2.0], [2.0, 2.0]]
    assert backend.run(tensors(7.0))[0].tolist() == [8.0, 2.0]
    assert totals[0].tolist() == [4.0, 2.0]
    assert log.count("pin") == 12
    backend.release()
    assert log[-1] == "empty cache"
    backend.run(tensors(7.0))
    assert log.count("pin") == 16


def test_a_batch_that_fails_does_not_give_its_buffers_back(log: list[str]) -> None:
    backend = CudaBackend(Model(log), ["sum", "double"])
    for _ in range(2):
        with pytest.raises(torch.OutOfMemoryError):
            backend.submit(tensors(-1.0))
    assert log.count("pin") == 4
    backend.run(tensors(1.0))
    assert log.count("pin") == 8


def test_the_memory_is_that_of_the_device(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CudaBackend(Model(log), [])
    assert backend.memory() == Memory(3 * GIB, 7 * GIB)
    monkeypatch.setattr(torch_cuda.cuda, "mem_get_info", lambda device: (15 * GIB, 16 * GIB))
    assert backend.memory() == Memory(3 * GIB, 8 * GIB)
