"""The import path of a model's class, and who may name it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from spark_infer.bundle.documents import check_kind, shown
from spark_infer.errors import BundleError, ConfigError

MODULE_FORMAT = (
    "save it with format='module', module='package.module:Class' and the class's arguments, which "
    "keeps the Python code: it is imported, from a file that the executors have, where "
    "allow_modules names it"
)
"""What to do with a model that cannot be exported."""


@dataclass(frozen=True)
class ModulePath:
    """A class by its import path: ``package.module:Class``.

    Attributes:
        module: The module that defines it.
        name: Its name there.
    """

    module: str
    name: str

    @classmethod
    def parse(cls, text: str, *, where: str) -> ModulePath:
        """Read a path.

        Raises:
            BundleError: It does not look like ``package.module:Class``, or names ``__main__``.
        """
        module, _, name = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
            raise BundleError(
                f"{where}: module path {shown(text)} must look like 'package.module:Class'"
            )
        if module == "__main__":
            raise BundleError(
                f"{where}: {text!r} is the script that runs now, which no executor can import; "
                "move the class to a module of its own"
            )
        return cls(module, name)

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"

    def is_allowed(self, allow_modules: Sequence[str]) -> bool:
        """Return whether the path, its module or a package above it is allowed."""
        return any(
            str(self) == allowed or str(self).startswith((f"{allowed}:", f"{allowed}."))
            for allowed in allow_modules
        )

    def check_allowed(self, allow_modules: Sequence[str], *, where: str) -> None:
        """Raise BundleError unless an allowed import path covers this one."""
        if not self.is_allowed(allow_modules):
            raise BundleError(
                f"{where}: it runs code from {str(self)!r}, which is not in allow_modules "
                f"{list(allow_modules)}; if you trust it, pass allow_modules=({self.module!r},)"
            )


def check_allow_modules(allow_modules: Sequence[str]) -> None:
    """Raise ConfigError unless these are import paths, one by one."""
    if isinstance(allow_modules, str):
        raise ConfigError(
            f"allow_modules must be a list of import paths, such as [{allow_modules!r}]"
        )
    check_kind(allow_modules, Collection, name="allow_modules", wanted="a list of import paths")
    for path in allow_modules:
        if not isinstance(path, str) or not path:
            raise ConfigError(f"allow_modules must hold import paths, got {shown(path)}")
