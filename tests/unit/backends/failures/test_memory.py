from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from spark_infer.backends.failures.memory import (
    Memory,
    control_group_limits,
    is_out_of_memory,
    process_memory,
)
from spark_infer.errors import PredictionError

MIB = 2**20


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's own."""


class AcceleratorOutOfMemory(OutOfMemoryError):
    pass


class OnnxFail(Exception):
    """Has no base that says anything, as the exceptions of ONNX Runtime."""


OnnxFail.__module__ = "onnxruntime.capi.onnxruntime_pybind11_state"


def run(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        pa.ArrowMemoryError("malloc of size 64 failed"),
        np._core._exceptions._ArrayMemoryError((1,), np.dtype("int8")),
        OutOfMemoryError("HIP out of memory"),
        AcceleratorOutOfMemory(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
        OnnxFail("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer"),
        OnnxFail("[ONNXRuntimeError] : 1 : FAIL : bad allocation"),
    ],
    ids=lambda error: f"{type(error).__name__}: {str(error)[:30]}",
)
def test_failed_allocations(error: Exception) -> None:
    assert is_out_of_memory(error)
    wrapped = PredictionError("the model failed")
    wrapped.__cause__ = ValueError("between")
    wrapped.__cause__.__cause__ = error
    assert is_out_of_memory(wrapped)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("CUDA out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("out of range"),
        OnnxFail("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors(error: BaseException) -> None:
    assert not is_out_of_memory(error)
    error.__context__ = MemoryError()
    assert not is_out_of_memory(error)


def test_an_error_that_is_its_own_cause() -> None:
    error = ValueError()
    error.__cause__ = RuntimeError()
    error.__cause__.__cause__ = error
    assert not is_out_of_memory(error)


@pytest.mark.processes
def test_real_allocations_that_fail_are_known_and_survived() -> None:
    code = """
import resource, sys
from pathlib import Path
import numpy as np, pyarrow as pa, torch
from spark_infer.backends.failures.memory import is_out_of_memory
from spark_infer.backends.torch.backend import TorchBackend

torch.set_num_threads(1)
backend = TorchBackend(torch.nn.Linear(4, 4096), ["y"])
backend.run({"x": np.zeros((1, 4), np.float32)})
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
many = np.zeros((2**16, 4), np.float32)  # a GiB of outputs
for allocate in (
    lambda: backend.run({"x": many}),
    lambda: backend.submit({"x": many}),
    lambda: torch.nn.Conv1d(4, 512, 1)(torch.zeros(2**9, 4, 2**10)),
    lambda: torch.empty(2**28),
    lambda: np.ones(2**28),
    lambda: pa.allocate_buffer(2**30),
    lambda: bytearray(2**30),
):
    try:
        allocate()
    except Exception as error:
        print(is_out_of_memory(error), type(error).__name__, str(error)[:80])
    else:
        sys.exit("there was memory")
backend.release()
assert backend.run({"x": many[:512]})[0].shape == (512, 4096)
assert backend.memory().limit_bytes <= limit
"""
    lines = run(code).splitlines()
    assert len(lines) == 7
    assert all(line.startswith("True ") for line in lines), lines


def test_the_limit_of_the_address_space_counts() -> None:
    before = process_memory()
    code = f"""
import resource
from spark_infer.backends.failures.memory import process_memory

before = process_memory()
resource.setrlimit(resource.RLIMIT_AS, ({before.limit_bytes - MIB}, resource.RLIM_INFINITY))
print(process_memory().limit_bytes, before.limit_bytes)
"""
    assert run(code) == f"{before.limit_bytes - MIB} {before.limit_bytes}\n"


def test_the_peak_is_that_of_this_process() -> None:
    code = f"""
from spark_infer.backends.failures.memory import process_memory

before = process_memory().peak_bytes
held = bytes({100 * MIB})[:] + b"x"
after = process_memory().peak_bytes
del held
print(before, after - before, process_memory().peak_bytes - before)
"""
    held = np.ones(200 * MIB, np.uint8)
    before, grown, kept = map(int, run(code).split())
    assert 0 < before < len(held)
    # The kernel counts pages for each processor and adds them up now and then.
    assert 99 * MIB < grown < 300 * MIB
    assert kept > 99 * MIB
    assert process_memory().peak_bytes >= len(held)


def test_the_limit_is_at_most_the_machine() -> None:
    memory = process_memory()
    assert isinstance(memory, Memory)
    assert 0 < memory.peak_bytes < memory.limit_bytes


def limit(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def test_control_groups_of_version_2(tmp_path: Path) -> None:
    limit(tmp_path / "memory.max", "max")
    limit(tmp_path / "kube/memory.max", "5000")
    limit(tmp_path / "kube/pod/memory.max", "7000")
    limit(tmp_path / "kube/other/memory.max", "10")
    assert sorted(control_group_limits("0::/kube/pod\n", tmp_path)) == [5000, 7000]
    assert control_group_limits("0::/\n", tmp_path) == []


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    limit(tmp_path / "memory/memory.limit_in_bytes", "9223372036854771712")
    limit(tmp_path / "memory/docker/a:b/memory.limit_in_bytes", "3000")
    groups = "9:cpu,cpuacct:/\n4:memory:/docker/a:b\n1:name=systemd:/\n0::/\n"
    assert control_group_limits(groups, tmp_path) == [3000, 9223372036854771712]


def test_a_container_sees_its_own_group_at_the_root(tmp_path: Path) -> None:
    limit(tmp_path / "memory/memory.limit_in_bytes", "3000")
    assert control_group_limits("4:memory:/docker/abc\n", tmp_path) == [3000]


def test_no_control_groups(tmp_path: Path) -> None:
    assert control_group_limits("", tmp_path) == []
    assert control_group_limits("4:memory:/a\n0::/b\n", tmp_path) == []
