"""How rows are cut into batches, where the model runs, and what happens to rows that fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from spark_infer.backends.options import ModelOptions, check_count
from spark_infer.bundle.columns import MAX_SIZE
from spark_infer.bundle.documents import shown
from spark_infer.errors import ConfigError
from spark_infer.tensors import PadRule

BatchSize = int | Literal["auto"]
Switch = bool | Literal["auto"]
OnError = Literal["reject", "fail"]


@dataclass(frozen=True, kw_only=True)
class BatchOptions(ModelOptions):
    """Options of a prediction. A job file has the same, by the same names.

    Raises:
        ConfigError: A value is out of range.
    """

    batch_size: BatchSize = "auto"
    """Most rows that the model runs together; ``"auto"`` learns what is fastest."""

    max_tokens: int | None = None
    """Token budget: rows x padded length of a batch stay within it. Default: no limit, or
    what ``batch_size="auto"`` learns. Without ragged inputs a row is one token."""

    pad_multiple: int = 1
    """Padded lengths are multiples of this, so that compiled programs see few shapes."""

    bucket_edges: Sequence[int] = ()
    """Ascending lengths to pad to instead; longer rows follow ``pad_multiple``."""

    window_rows: int = 32_768
    """Rows of ragged inputs that are ordered by length together."""

    window_bytes: int = 64 * 2**20
    """Most bytes of input that are held together; a longer record batch is taken in pieces."""

    on_error: OnError = "reject"
    """``"reject"``: a row on which the model fails gets no prediction, and a reason. ``"fail"``:
    the first failure ends the prediction."""

    max_rejected_share: float = 0.5
    """Share of the model's rows that may fail: from the thousandth row on, and where the engine
    sees the end of the rows (not in a column function)."""

    max_bisections: int = 100_000
    """Batches that a task may run again in halves to find the rows at fault."""

    dedupe: Switch = "auto"
    """Predict equal rows once. ``"auto"``: while enough rows repeat to pay for the comparison."""

    cache_bytes: int = 64 * 2**20
    """Size of a worker's cache of predictions, which serves repeats; 0 for none."""

    overlap: Switch = "auto"
    """Read and pad in one thread, run in another, unpack in a third. ``"auto"``: on a GPU. A task
    of Spark has one core as a rule, and there it gains nothing and costs some 2 %."""

    until: float | None = None
    """Seconds since 1970 (UTC), by the clock of the machine that predicts, after which the model is
    asked for no more rows: the rest has no prediction, and says so. Default: no end."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _is_auto(self.batch_size):
            check_count("batch_size", self.batch_size, 1, "or 'auto'")
        if self.max_tokens is not None:
            check_count("max_tokens", self.max_tokens, 1)
        check_count("pad_multiple", self.pad_multiple, 1, most=MAX_SIZE)
        check_count("window_rows", self.window_rows, 1)
        check_count("window_bytes", self.window_bytes, 1)
        check_count("max_bisections", self.max_bisections, 0)
        check_count("cache_bytes", self.cache_bytes, 0)
        if isinstance(self.bucket_edges, str | bytes) or not isinstance(
            self.bucket_edges, Sequence
        ):
            raise ConfigError(
                f"bucket_edges must be a list of lengths, got {shown(self.bucket_edges)}"
            )
        edges = tuple(self.bucket_edges)
        for edge in edges:
            check_count("bucket_edges", edge, 1, most=MAX_SIZE)
        if list(edges) != sorted(set(edges)):
            raise ConfigError(f"bucket_edges must ascend, got {shown(list(edges))}")
        object.__setattr__(self, "bucket_edges", edges)
        if not isinstance(self.on_error, str) or self.on_error not in get_args(OnError):
            raise ConfigError(f"on_error {shown(self.on_error)} is unknown; use 'reject' or 'fail'")
        until = self.until
        is_number = isinstance(until, int | float) and not isinstance(until, bool)
        if until is not None and (not is_number or until != until):
            raise ConfigError(
                f"until must be a time in seconds since 1970, or None, got {shown(until)}"
            )
        share = self.max_rejected_share
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise ConfigError(f"max_rejected_share must be between 0 and 1, got {shown(share)}")
        for name in ("dedupe", "overlap"):
            value = getattr(self, name)
            if not isinstance(value, bool) and not _is_auto(value):
                raise ConfigError(f"{name} must be true, false or 'auto', got {shown(value)}")

    @property
    def pad_rule(self) -> PadRule:
        """The lengths that batches are padded to."""
        return PadRule(self.pad_multiple, tuple(self.bucket_edges))

    def one_by_one(self) -> BatchOptions:
        """Return the options for a model whose answer to a row depends on what stands beside it.

        Each row runs alone, as long as it is, and no prediction is shared.
        """
        return replace(
            self, batch_size=1, pad_multiple=1, bucket_edges=(), dedupe=False, cache_bytes=0
        )


def check_options(options: object) -> BatchOptions:
    """Return the options, the default ones for None.

    Raises:
        ConfigError: They are something else.
    """
    if options is None:
        return BatchOptions()
    if not isinstance(options, BatchOptions):
        raise ConfigError(
            f"options must be BatchOptions, got {type(options).__name__}; write "
            "BatchOptions(batch_size=..., device=...)"
        )
    return options


def _is_auto(value: object) -> bool:
    return isinstance(value, str) and value == "auto"
