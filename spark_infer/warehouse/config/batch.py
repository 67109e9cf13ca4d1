"""How a job predicts: the options of the predictor as keys of the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from spark_infer.backends import Precision
from spark_infer.errors import ConfigError
from spark_infer.model import BatchOptions
from spark_infer.warehouse.values import Section


class BatchConfig(Section):
    """How rows are cut into batches, where the model runs, and what happens to rows that fail."""

    batch_size: int | Literal["auto"] = Field(
        "auto", description="Most rows that the model runs together; auto learns what is fastest."
    )
    max_tokens: int | None = Field(
        None, description="Most rows x padded length of a batch. Default: no limit, or learned."
    )
    pad_multiple: int = Field(1, description="Padded lengths are multiples of this.")
    bucket_edges: tuple[int, ...] = Field(
        (), description="Ascending lengths to pad to; longer rows follow pad_multiple."
    )
    window_rows: int = Field(32_768, description="Rows that are ordered by length together.")
    window_bytes: int = Field(64 * 2**20, description="Most bytes of input held together.")
    on_error: Literal["reject", "fail"] = Field(
        "reject",
        description="reject: a row on which the model fails gets no prediction, and a reason. "
        "fail: the first failure ends the run.",
    )
    max_rejected_share: float = Field(
        0.05,
        description="Share of the run's rows, rounded up to a whole row, that may get no "
        "prediction, for whatever reason; with more, nothing is written. Scoring stops as soon as "
        "the model fails on that share of a task's rows, from 1,000 rows on.",
    )
    max_bisections: int = Field(
        100_000, description="Batches that a task may run again to find the rows at fault."
    )
    dedupe: bool | Literal["auto"] = Field(
        "auto", description="Predict equal rows once; auto: while enough rows repeat to pay."
    )
    cache_bytes: int = Field(64 * 2**20, description="A worker's cache of predictions; 0: none.")
    overlap: bool | Literal["auto"] = Field(
        "auto", description="Read and pad in one thread, run in another; auto: on a GPU."
    )
    device: str = Field("cpu", description="cpu, cuda (the GPU that Spark gave the task), cuda:0.")
    precision: Precision = Field("float32", description="float32, bfloat16 or float16.")

    @model_validator(mode="after")
    def _is_in_range(self) -> BatchConfig:
        try:
            self.options()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def options(self) -> BatchOptions:
        """Return the options of the predictor."""
        return BatchOptions(**self.model_dump())
