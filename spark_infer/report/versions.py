"""What took part in a run."""

from __future__ import annotations

from spark_infer._version import versions_of


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that are installed, by name."""
    return versions_of("pyspark", "torch", "numpy", "pyarrow", "pandas")
