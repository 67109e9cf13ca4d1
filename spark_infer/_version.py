"""The version of spark_infer, said once, and the versions of what it runs with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"

_ALSO = {"xgboost": ("xgboost-cpu",)}
"""Other distributions of the same library, by its usual name."""


def versions_of(*packages: str) -> dict[str, str]:
    """Return the versions of Python, of spark_infer and of packages that are installed, by name.

    spark_infer's own is that of the code that runs, which may be a folder or an archive that was
    never installed.

    Args:
        packages: Their names, as pip calls them.
    """
    found = {"python": platform.python_version(), "spark-infer": __version__}
    for name in packages:
        for distribution in (name, *_ALSO.get(name, ())):
            try:
                found[name] = version(distribution)
                break
            except (PackageNotFoundError, ValueError):  # None of that name, or none at all.
                continue
    return found
