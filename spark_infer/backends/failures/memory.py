"""How much memory a process has used and may use, and which errors mean that it ran out."""

from __future__ import annotations

import functools
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

# What allocators say in errors that have no type of their own.
_ALLOCATION_FAILED = (
    "DefaultCPUAllocator: can't allocate memory",
    "not enough memory: you tried to allocate",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "Failed to allocate memory",
    "bad allocation",
    "std::bad_alloc",
)


@dataclass(frozen=True)
class Memory:
    """Memory of a device, or of this process on the host.

    Attributes:
        peak_bytes: The most that was in use at once so far.
        limit_bytes: The most that can be in use.
    """

    peak_bytes: int
    limit_bytes: int


def process_memory() -> Memory:
    """Return this process's peak resident memory and the least of the limits set for it.

    The limits are the address space (``RLIMIT_AS``), the memory of the control group and of the
    groups around it, and the machine's memory.
    """
    address_space, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits = [_machine_limit()]
    if address_space != resource.RLIM_INFINITY:
        limits.append(address_space)
    return Memory(_peak_resident(), min(limits))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error, or one that caused it, says that an allocation failed.

    Errors of torch are known by name and message, so that torch need not be imported.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if _is_allocation_failure(cause):
            return True
        seen.add(id(cause))
        cause = cause.__cause__
    return False


def control_group_limits(groups: str, root: Path) -> list[int]:
    """Return the memory limits of control groups, versions 1 and 2.

    Args:
        groups: The text of ``/proc/self/cgroup``.
        root: Where control groups are mounted. A container may see the path that its group has
            on the host, but only its own group mounted: whatever part of the path is there counts.
    """
    limits = []
    for line in groups.splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            mount, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            mount, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        path = mount / group.lstrip("/")
        for folder in (path, *path.parents):
            if folder.is_relative_to(mount):
                limits += _read_limit(folder / name)
    return limits


def _read_limit(file: Path) -> list[int]:
    try:
        text = file.read_text().strip()
    except OSError:
        return []
    return [int(text)] if text.isdigit() else []


@functools.cache
def _machine_limit() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        groups = Path("/proc/self/cgroup").read_text()
    except OSError:
        groups = ""
    return min([physical, *control_group_limits(groups, Path("/sys/fs/cgroup"))])


def _peak_resident() -> int:
    # A process that another one starts inherits ru_maxrss from it, so a Python worker would
    # report its JVM's memory. VmHWM begins anew.
    try:
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - read for every batch
            for line in status:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _is_allocation_failure(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    names = {kind.__name__ for kind in type(error).__mro__}
    if "OutOfMemoryError" in names:
        return True
    # Anybody may write these words; from anything but a library they mean nothing.
    if not isinstance(error, RuntimeError) and not type(error).__module__.startswith("onnxruntime"):
        return False
    return any(words in str(error) for words in _ALLOCATION_FAILED)
