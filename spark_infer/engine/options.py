"""How rows are cut into batches and where the model runs."""

from __future__ import annotations

from dataclasses import dataclass

from spark_infer.backends import Precision
from spark_infer.backends.backend import check_precision
from spark_infer.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """Options of a prediction.

    Raises:
        ConfigError: A value is out of range.
    """

    batch_size: int = 4096
    """Most rows that the model runs together."""

    device: str = "cpu"
    """Where the model runs: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``."""

    precision: Precision = "float32"
    """Type of weights and matrix products: ``float32``, ``bfloat16`` or ``float16``."""

    def __post_init__(self) -> None:
        if isinstance(self.batch_size, bool) or not isinstance(self.batch_size, int):
            raise ConfigError(f"batch_size must be a whole number, got {self.batch_size!r}")
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {self.batch_size}")
        check_precision(self.precision)
