"""Small torch models, their signatures and rows for them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import nn

import spark_infer as si
from spark_infer.bundle import Bundle

HERE = __name__

FRAUD_SIGNATURE = si.Signature(
    inputs=[
        si.ScalarInput("features", columns=["amount", si.Column("hour", nulls=0.0)]),
        si.RaggedInput(
            "history",
            column="history",
            vocabulary=["a", "b", "c"],
            max_length=6,
            overflow="keep_last",
            nulls="empty",
        ),
    ],
    outputs=[si.Output("score"), si.Output("weights", lengths_of="history")],
)


class Fraud(nn.Module):
    """Two features and a ragged history of ids to a score, and a weight for each position."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.scale = nn.BatchNorm1d(2)
        self.embed = nn.Embedding(4, hidden)
        self.norm = nn.LayerNorm(hidden + 2)
        self.inner = nn.Linear(hidden + 2, hidden)
        self.drop = nn.Dropout(0.9)
        self.score = nn.Linear(hidden, 1)

    def forward(
        self, features: torch.Tensor, history: torch.Tensor, history_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        embedded = self.embed(history)
        real = history_mask.unsqueeze(-1).to(embedded.dtype)
        mean = (embedded * real).sum(1) / real.sum(1).clamp(min=1)
        joined = self.norm(torch.cat([self.scale(features), mean], 1))
        return torch.sigmoid(self.score(self.drop(self.inner(joined).relu()))), embedded.sum(2)


def fraud_model() -> Fraud:
    """Return a model with weights and batch statistics that are not the defaults."""
    torch.manual_seed(7)
    model = Fraud()
    model.scale.running_mean = torch.tensor([10.0, 12.0])
    model.scale.running_var = torch.tensor([25.0, 4.0])
    return model


def save_fraud(path: Path, **options: Any) -> Bundle:
    """Save the fraud model, by default as an exported program."""
    return si.save_bundle(path, fraud_model(), signature=FRAUD_SIGNATURE, **options)


def fraud_rows(num_rows: int, longest: int = 6) -> pa.RecordBatch:
    """Return random rows; histories are of any length from none to ``longest``."""
    rnd = random.Random(num_rows)
    histories = [rnd.choices("abcz", k=rnd.randint(0, longest)) for _ in range(num_rows)]
    return pa.RecordBatch.from_pydict(
        {
            "amount": pa.array([rnd.uniform(0, 20) for _ in range(num_rows)], pa.float32()),
            "hour": pa.array([rnd.choice([None, 7, 23]) for _ in range(num_rows)], pa.int32()),
            "history": pa.array(histories, pa.list_(pa.string())),
        }
    )


def fraud_expected(row: dict[str, Any]) -> tuple[float, list[float]]:
    """Run the fraud model on one row alone, without a predictor."""
    words = (row["history"] or [])[-6:]
    ids = torch.tensor([["abc".find(word) % 4 for word in words] or [0]])
    features = torch.tensor([[row["amount"], float(row["hour"] or 0)]])
    mask = torch.full(ids.shape, bool(words))
    with torch.no_grad():
        score, weights = fraud_model().eval()(features, ids, mask)
    return score.item(), weights[0, : len(words)].tolist()


RECURRENT_SIGNATURE = si.Signature(
    inputs=[si.RaggedInput("visits", column="visits", fields=["amount", "gap"])],
    outputs=[si.Output("score")],
)


class Recurrent(nn.Module):
    """A GRU over ragged pairs: torch.export cannot trace it with a dynamic length."""

    def __init__(self, hidden: int = 4) -> None:
        super().__init__()
        self.gru = nn.GRU(2, hidden, batch_first=True)
        self.score = nn.Linear(hidden, 1)

    def forward(self, visits: torch.Tensor, visits_mask: torch.Tensor) -> torch.Tensor:
        states, _ = self.gru(visits)
        last = (visits_mask.sum(1) - 1).clamp(min=0)
        return self.score(states[torch.arange(states.shape[0]), last])


def save_recurrent(path: Path, **options: Any) -> Bundle:
    """Save a GRU in module format."""
    torch.manual_seed(7)
    arguments = {"hidden": 4}
    options = {
        "signature": RECURRENT_SIGNATURE,
        "format": "module",
        "module": f"{HERE}:Recurrent",
        "arguments": arguments,
    } | options
    return si.save_bundle(path, Recurrent(**arguments), **options)


def visits(*lengths: int) -> pa.RecordBatch:
    """Return rows for the recurrent model."""
    kind = pa.list_(pa.struct({"amount": pa.float32(), "gap": pa.float32()}))
    rows = [
        [{"amount": float(row), "gap": float(position)} for position in range(length)]
        for row, length in enumerate(lengths)
    ]
    return pa.RecordBatch.from_pydict({"visits": pa.array(rows, kind)})


class Line(nn.Module):
    """Multiplies its input by a weight: the smallest model there is."""

    def __init__(self, weight: float = 2.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


LINE_SIGNATURE = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")])
