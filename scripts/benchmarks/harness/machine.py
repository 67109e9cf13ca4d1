"""What a benchmark ran on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NUM_CORES = 2
"""What each contender has."""


def describe() -> dict[str, str]:
    """Return the processor, memory and versions of the libraries that matter and are there."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ("torch", "pyspark", "pyarrow", "numpy", "pandas", "daft", "ray")
    return {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{memory:.0f} GiB",
        "python": platform.python_version(),
        **{library: found for library in libraries if (found := _version(library))},
    }


def cache_directory() -> Path:
    """Return the directory for generated data, outside the repository."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(root) / "spark_infer" / "bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
