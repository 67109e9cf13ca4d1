"""How a model's columns arrive."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from spark_infer.bundle import Bundle, Signature
from spark_infer.bundle.documents import check_kind
from spark_infer.errors import ConfigError


@dataclass(frozen=True)
class Layout:
    """The columns that a predictor reads.

    Attributes:
        signature: Which tensors become of them.
        packed: Names of scalar inputs that arrive as one list column (``tensors.packed_name``).

    Raises:
        ConfigError: A value is of another kind.
    """

    signature: Signature
    packed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_kind(self.signature, Signature, name="signature", wanted="a Signature")
        wanted = "a list of input names"
        check_kind(self.packed, (list, tuple, Set), name="packed", wanted=wanted)
        for name in self.packed:
            check_kind(name, str, name="packed", wanted=wanted)
        object.__setattr__(self, "packed", frozenset(self.packed))

    @classmethod
    def of(cls, given: object) -> Layout:
        """Return the layout that a user gave, or the one in which each column arrives by itself.

        Raises:
            ConfigError: It is neither one, nor a bundle or a signature.
        """
        if isinstance(given, Layout):
            return given
        if isinstance(given, Bundle):
            return cls(given.signature)
        if isinstance(given, Signature):
            return cls(given)
        raise ConfigError(
            f"a predictor needs a bundle or a signature, got {type(given).__name__}; open the "
            "bundle with Bundle.load(path)"
        )
