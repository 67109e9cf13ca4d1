"""The models of the fraud case. Both read raw feature values: normalization is inside.

A model is a small ensemble: ``members`` networks that differ in their first weights, trained
together, whose probabilities are averaged.

The sequence model is stored in format ``module``, so whoever loads its bundle imports this file
as ``fraud.models``. Locally, ``spark.executorEnv.PYTHONPATH`` names the folder ``scripts``; on a
cluster, ``spark-submit --py-files fraud.zip`` sends it (``cd scripts && zip fraud.zip
fraud/__init__.py fraud/models.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Normalize(nn.Module):
    """Brings features to mean 0 and standard deviation 1, after ``log1p`` where they are skewed.

    Args:
        num_features: Size of the last dimension.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.is_log: Tensor
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("is_log", torch.zeros(num_features, dtype=torch.bool))
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("deviation", torch.ones(num_features))

    def fit(self, values: Tensor) -> None:
        """Learn the constants from values of shape (rows, features).

        A feature that is never negative and exceeds 1 counts as skewed.
        """
        self.is_log.copy_((values.amin(0) >= 0) & (values.amax(0) > 1))
        values = self._logs(values)
        self.mean.copy_(values.mean(0))
        self.deviation.copy_(values.std(0).clamp_min(1e-6))

    def forward(self, values: Tensor) -> Tensor:
        """Normalize values of shape (..., features)."""
        return (self._logs(values) - self.mean) / self.deviation

    def _logs(self, values: Tensor) -> Tensor:
        return torch.where(self.is_log, torch.log1p(values.clamp_min(0)), values)


def _network(num_inputs: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(num_inputs, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, 1),
    )


class DenseModel(nn.Module):
    """Fully connected networks over the scalar features.

    Args:
        num_features: Scalar features.
        hidden: Units of each of the two hidden layers.
        members: Networks in the ensemble.
        dropout: Share of units that a training step leaves out.
    """

    def __init__(
        self, num_features: int, hidden: int = 128, members: int = 4, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.normalize = Normalize(num_features)
        self.networks = nn.ModuleList(
            _network(num_features, hidden, dropout) for _ in range(members)
        )

    def fit_normalization(self, features: Tensor) -> None:
        """Learn the constants of the normalization from training rows."""
        self.normalize.fit(features)

    def logits(self, features: Tensor) -> Tensor:
        """Return the members' logits, of shape (rows, members)."""
        normal = self.normalize(features)
        return torch.cat([network(normal) for network in self.networks], dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the probability of fraud, of shape (rows,)."""
        return torch.sigmoid(self.logits(features)).mean(1)


class SequenceModel(nn.Module):
    """A recurrent network over the card's last transactions beside the scalar features.

    Args:
        num_features: Scalar features.
        num_fields: Fields of one transaction in the history.
        state: Units of the recurrent network.
        hidden: Units of each of the two hidden layers.
        members: Networks in the ensemble; they share the recurrent one.
        dropout: Share of units that a training step leaves out.
    """

    def __init__(
        self,
        num_features: int,
        num_fields: int,
        state: int = 32,
        hidden: int = 128,
        members: int = 4,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.normalize = Normalize(num_features)
        self.normalize_history = Normalize(num_fields)
        self.recurrent = nn.GRU(num_fields, state, batch_first=True)
        self.networks = nn.ModuleList(
            _network(num_features + state, hidden, dropout) for _ in range(members)
        )

    def fit_normalization(self, features: Tensor, history: Tensor, mask: Tensor) -> None:
        """Learn the constants of the normalization from training rows."""
        self.normalize.fit(features)
        self.normalize_history.fit(history[mask])

    def logits(self, features: Tensor, history: Tensor, mask: Tensor) -> Tensor:
        """Return the members' logits, of shape (rows, members).

        Args:
            features: Shape (rows, features).
            history: Shape (rows, longest, fields), oldest transaction first, padded at the end.
            mask: Shape (rows, longest), true where the history is real.
        """
        states, _ = self.recurrent(self.normalize_history(history) * mask.unsqueeze(2))
        last = (mask.sum(1) - 1).clamp_min(0)
        memory = states[torch.arange(len(states), device=states.device), last]
        memory = memory * mask.any(1).unsqueeze(1)
        normal = torch.cat([self.normalize(features), memory], dim=1)
        return torch.cat([network(normal) for network in self.networks], dim=1)

    def forward(self, features: Tensor, history: Tensor, mask: Tensor) -> Tensor:
        """Return the probability of fraud, of shape (rows,); see ``logits``."""
        return torch.sigmoid(self.logits(features, history, mask)).mean(1)
