"""Whose code it is that a model runs, and what that names."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

_LIBRARIES = frozenset({"torch", "numpy", "spark_infer", "pytest", "_pytest", "pyspark", "py4j"})
"""Libraries that are left alone wherever they lie."""


class UserCode:
    """The user's code: what is neither Python's nor installed, and the files of a model.

    Args:
        modules: Names of the modules that define the model's classes, installed or not.
    """

    def __init__(self, modules: set[str]) -> None:
        self._modules = {module for module in modules if not _is_library(module)}

    def has(self, module: object) -> bool:
        """Tell whether a module is the user's, by its name."""
        if not isinstance(module, str) or _is_library(module):
            return False
        if module in self._modules:
            return True
        loaded = sys.modules.get(module)
        file = None if loaded is None else vars(loaded).get("__file__")
        if isinstance(file, str):
            return not _is_installed(file)
        # A notebook has no file, nor have modules that are built into Python.
        return module not in sys.stdlib_module_names

    def globals_of(self, code: CodeType, around: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the globals around code, and those of the user's modules that it names.

        Args:
            code: The code.
            around: The globals of its file.
        """
        names = names_in(code)
        found, left = {id(around)}, [around]
        while left:
            yield (values := left.pop())
            for name in names:
                module = values.get(name, sys.modules.get(name))
                if not isinstance(module, ModuleType) or id(vars(module)) in found:
                    continue
                if self.has(vars(module).get("__name__")):
                    found.add(id(vars(module)))
                    left.append(vars(module))


@cache
def names_in(code: CodeType) -> frozenset[str]:
    """Return the names that code may look up or write, also as text and in functions inside it."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= names_in(constant)
        elif isinstance(constant, str) and constant.isidentifier():
            names.add(constant)
    return frozenset(names)


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in _LIBRARIES


@cache
def _is_installed(file: str) -> bool:
    path = Path(file).resolve()
    if not {"site-packages", "dist-packages"}.isdisjoint(path.parts):
        return True
    homes = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    return any(path.is_relative_to(home) for home in homes)
