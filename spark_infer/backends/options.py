"""Where a model runs, and with which numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import ConfigDict

from spark_infer.bundle.documents import shown
from spark_infer.errors import ConfigError

Precision = Literal["float32", "bfloat16", "float16"]

_MAX_THREADS = 4096
_DEVICE = re.compile("cpu|(cuda|tensorrt)(:[0-9]{1,3})?")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Options of a model that is loaded.

    Raises:
        ConfigError: A value is out of range.
    """

    # The job file's reference shows the docstrings below, and those of further options.
    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True)

    device: str = "cpu"
    """Where the model runs: ``"cpu"``, ``"cuda"`` (the GPU that Spark gave the task),
    ``"cuda:N"``, or for ONNX models ``"tensorrt"`` likewise."""

    precision: Precision = "float32"
    """Type of weights and matrix products: ``float32``, ``bfloat16`` or ``float16``."""

    threads: int | None = None
    """CPU threads of one batch. Default: in a task of Spark its cores, elsewhere as many as torch
    takes."""

    def __post_init__(self) -> None:
        if not isinstance(self.device, str) or not _DEVICE.fullmatch(self.device):
            raise ConfigError(f"device must be 'cpu', 'cuda' or 'cuda:0', got {shown(self.device)}")
        if not isinstance(self.precision, str) or self.precision not in get_args(Precision):
            raise ConfigError(
                f"precision {shown(self.precision)} is unknown; use one of "
                f"{list(get_args(Precision))}"
            )
        if self.threads is not None:
            check_count("threads", self.threads, 1, most=_MAX_THREADS)


def check_count(
    name: str, value: object, least: int, or_else: str = "", *, most: int = 2**63 - 1
) -> None:
    """Raise ConfigError unless an option is a whole number, not too small and not too large."""
    if isinstance(value, bool) or not isinstance(value, int):
        wanted = f"a whole number {or_else}".rstrip()
        raise ConfigError(f"{name} must be {wanted}, got {shown(value)}")
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, got {shown(value)}")
    if value > most:
        raise ConfigError(f"{name} must be at most {most:,}, got {shown(value)}")
