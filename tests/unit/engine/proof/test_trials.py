"""Padding that counts for little: for a position too little to be seen, for thousands not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.engine.proof.probe import probe
from spark_infer.engine.proof.trials import plan
from spark_infer.errors import SignatureError
from spark_infer.tensors import Decoder


class Little(nn.Module):
    """A mean whose weights are kept above 0."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        weights = mask.float().clamp(min=5e-6)
        return (x * weights).sum(1) / weights.sum(1)


class Pool(nn.Module):
    """Attention that gives padding a low score."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.values = nn.Linear(1, 8)
        self.scores = nn.Linear(8, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        values = torch.tanh(self.values(x.unsqueeze(-1)))
        scores = self.scores(values).squeeze(-1).masked_fill(~mask, -14.0)
        return (scores.softmax(1).unsqueeze(-1) * values).sum((1, 2))


class Count(nn.Module):
    """Adds a trifle for each padded position."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return (x * mask).sum(1) + 1e-6 * (~mask).sum(1)


@pytest.mark.parametrize("model", [Little(), Pool(), Count()], ids=lambda m: type(m).__name__)
def test_padding_that_counts_for_little_is_found(tmp_path: Path, model: nn.Module) -> None:
    item = si.RaggedInput("x", column="x", min_length=1)
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    with pytest.raises(SignatureError, match=r"is .* alone and .* padded to 2100 positions of 'x'"):
        si.save_bundle(tmp_path / "b", model, signature=signature)


class Filled(nn.Module):
    """Takes what is missing from the other rows."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        known = torch.nan_to_num(x)
        if self.how == "mean":
            fill = x.nanmean(0, keepdim=True)
        elif self.how == "largest":
            fill = known.amax(0, keepdim=True)
        else:
            fill = known[:1]
        return torch.nan_to_num(torch.where(x.isnan(), fill, x)).sum(1)


@pytest.mark.parametrize("how", ["mean", "largest", "first"])
@pytest.mark.parametrize("place", [None, 0, 20, 63])
def test_missing_values_that_come_from_other_rows_are_found(
    tmp_path: Path, how: str, place: int | None
) -> None:
    columns = [si.Column(name, nulls="nan") for name in "ab"]
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=columns)], outputs=[si.Output("y")]
    )
    sample = None
    if place is not None:
        values = [None if row == place else float(row) for row in range(64)]
        sample = {"a": values, "b": [1.0] * 64}
    with pytest.raises(SignatureError, match="depends on the rows beside it"):
        si.save_bundle(tmp_path / "b", Filled(how), signature=signature, sample=sample)


@pytest.mark.parametrize("limits", [(None, None), (100, None), (None, 40), (3, 2)])
def test_short_rows_are_padded_to_the_longest_in_each_input(limits: Any) -> None:
    inputs = [
        si.RaggedInput(name, column=name, min_length=1, max_length=limit)
        for name, limit in zip("ab", limits, strict=True)
    ]
    signature = si.Signature(inputs=inputs, outputs=[si.Output("y")])
    decoded = Decoder(signature).decode(probe(signature, is_small=True))
    rows = decoded.rejects.accepted.positions
    options = {"is_probe": True, "in_batches": True}
    trials = list(plan(decoded, rows, is_small=True, **options))
    longest = [lengths.max() for lengths in decoded.ragged.values()]
    far = [
        trial
        for trial in trials
        if [padded.max() for padded in trial.padded(decoded)] == longest
        and any(all(of[row] == 1 for of in decoded.ragged.values()) for row in trial.rows)
    ]
    assert far
    large = list(plan(decoded, rows, is_small=False, **options))
    assert sum(len(trial.rows) for trial in large) < sum(len(trial.rows) for trial in trials)


def test_a_row_is_compared_with_itself_alone() -> None:
    item = si.RaggedInput("x", column="x")
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    decoded = Decoder(signature).decode(probe(signature, is_small=True))
    trials = list(
        plan(
            decoded,
            decoded.rejects.accepted.positions,
            is_probe=True,
            in_batches=True,
            is_small=True,
        )
    )
    alone = {int(trial.rows[0]) for trial in trials if len(trial.rows) == 1}
    (far,) = (t for t in trials if len(t.rows) > 2 and np.ptp(decoded.lengths("x")[t.rows]) > 1000)
    assert set(map(int, far.rows[1:])) <= alone
