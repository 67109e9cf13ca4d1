"""Fit a fraud model, and find out for how long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fraud.evaluation.metrics import average_precision
from fraud.models import DenseModel, SequenceModel
from spark_infer.bundle import Signature
from spark_infer.tensors import Decoder
from spark_infer.tensors import Rows as WindowRows

Model = DenseModel | SequenceModel

_SCORING_BATCH = 8192


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a model is fitted."""

    learning_rate: float = 5e-3
    """Step size of Adam."""

    batch_size: int = 512
    """Rows of one step."""

    genuine_share: float = 0.25
    """Share of the genuine rows that one pass sees, drawn anew for each; it sees all frauds."""

    smoothing: float = 0.98
    """Decay of the moving average over the steps' weights; the average is the model."""

    max_passes: int = 24
    """Most passes over the training rows."""

    patience: int = 4
    """Passes without a better validation before the search stops."""

    seed: int = 0
    """Seed of weights, order and dropout."""


class Rows:
    """Labeled rows as the tensors that a predictor would make of them.

    Args:
        table: The signature's columns and ``fraud``.
        signature: What the model reads.
    """

    def __init__(self, table: pa.Table, signature: Signature) -> None:
        self._decoded = Decoder(signature).decode(table)
        if self._decoded.rejects.count:
            raise ValueError(f"{self._decoded.rejects.count} training rows would be rejected")
        self.labels: npt.NDArray[np.float32] = table["fraud"].to_numpy().astype(np.float32)

    def __len__(self) -> int:
        return len(self.labels)

    def tensors(self, rows: slice | npt.NDArray[np.intp]) -> list[Tensor]:
        """Return the model's tensors for some rows."""
        return [
            torch.from_numpy(array) for array in self._decoded.tensors(WindowRows(rows)).values()
        ]

    def batches(
        self, size: int, order: npt.NDArray[np.intp]
    ) -> Iterator[tuple[list[Tensor], Tensor]]:
        """Yield tensors and labels, ``size`` rows at a time in the given order."""
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield self.tensors(rows), torch.from_numpy(self.labels[rows])


def fit(make_model: Callable[[], Model], rows: Rows, passes: int, options: FitOptions) -> Model:
    """Fit a new model for a fixed number of passes."""
    *_, model = _passes(make_model, rows, passes, options)
    return model


def choose_passes(
    make_model: Callable[[], Model], train: Rows, validation: Rows, options: FitOptions
) -> tuple[int, float]:
    """Return the number of passes with the best average precision on later rows, and that."""
    best, best_precision = 1, 0.0
    for number, model in enumerate(_passes(make_model, train, options.max_passes, options), 1):
        precision = average_precision(validation.labels, probabilities(model, validation))
        if precision > best_precision:
            best, best_precision = number, precision
        elif number - best >= options.patience:
            break
    return best, best_precision


def probabilities(model: Model, rows: Rows) -> npt.NDArray[np.float32]:
    """Return the model's probability of fraud for each row."""
    order = np.arange(len(rows))
    with torch.inference_mode():
        parts = [model(*tensors) for tensors, _ in rows.batches(_SCORING_BATCH, order)]
    array: npt.NDArray[np.float32] = torch.cat(parts).numpy()
    return array


def _passes(
    make_model: Callable[[], Model], rows: Rows, passes: int, options: FitOptions
) -> Iterator[Model]:
    """Yield the smoothed model, ready to predict, after each pass."""
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    frauds, genuine = np.flatnonzero(rows.labels > 0), np.flatnonzero(rows.labels == 0)
    num_genuine = int(len(genuine) * options.genuine_share)
    model = make_model()
    model.fit_normalization(*rows.tensors(slice(0, len(rows))))
    smoothed = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options.smoothing))
    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
    for _ in range(passes):
        model.train()
        drawn = random.choice(genuine, num_genuine, replace=False)
        order = random.permutation(np.concatenate([frauds, drawn]))
        for tensors, labels in rows.batches(options.batch_size, order):
            optimizer.zero_grad()
            _loss(model.logits(*tensors), labels, options.genuine_share).backward()
            optimizer.step()
            smoothed.update_parameters(model)
        yield cast(Model, smoothed.module.eval())


def _loss(logits: Tensor, labels: Tensor, genuine_share: float) -> Tensor:
    """Cross entropy, mean over the rows and sum over the members: each learns on its own.

    A fraud weighs as little as there are few genuine rows, so probabilities stay as they are.
    """
    labels = labels.unsqueeze(1).expand_as(logits)
    weights = torch.where(labels > 0, genuine_share, 1.0)
    losses = nn.functional.binary_cross_entropy_with_logits(
        logits, labels, weights, reduction="none"
    )
    return losses.mean(0).sum()
