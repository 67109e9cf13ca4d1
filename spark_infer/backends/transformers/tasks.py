"""What a transformer is for: the module that gives it, and the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from spark_infer.bundle import Output


@dataclass(frozen=True)
class Task:
    """A use of a transformer.

    Attributes:
        loader: The class of transformers that loads it.
        architecture: How the classes of its models end.
    """

    loader: str
    architecture: str


TASKS = {
    "classification": Task("AutoModelForSequenceClassification", "ForSequenceClassification"),
    "token-classification": Task("AutoModelForTokenClassification", "ForTokenClassification"),
    "embedding": Task("AutoModel", "Model"),
    "cls-embedding": Task("AutoModel", "Model"),
}

PROBLEMS = (None, "regression", "single_label_classification", "multi_label_classification")
"""What a configuration says that scores of texts are."""


class Embedding(nn.Module):
    """One vector for each text.

    Args:
        model: Returns a vector for each token.
        pooling: ``mean`` of the real tokens, or ``cls``, the first.
        after: What is done with the vectors then, (rows, size) to (rows, size).
    """

    def __init__(self, model: nn.Module, *, pooling: str, after: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        self.model = model
        self.takes_mean = pooling == "mean"
        self.after = nn.Sequential(*after)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return vectors, (rows, size)."""
        tokens = self.model(input_ids, attention_mask=attention_mask, return_dict=True)
        vectors = tokens.last_hidden_state
        if self.takes_mean:
            real = attention_mask.unsqueeze(-1).to(vectors.dtype)
            vectors = (vectors * real).sum(1) / real.sum(1).clamp(min=1e-9)
        else:
            vectors = vectors[:, 0]
        made: torch.Tensor = self.after(vectors)
        return made


class Classification(nn.Module):
    """Scores of classes for each text, or for each token.

    Args:
        model: Returns logits.
        activation: ``softmax``, ``sigmoid``, or ``none`` for numbers that are no shares.
        outputs: How often the scores are returned.
    """

    def __init__(self, model: nn.Module, *, activation: str, outputs: int) -> None:
        super().__init__()
        self.model = model
        self.activation = activation
        self.outputs = outputs

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Return (rows, classes) or (rows, tokens, classes), once or twice."""
        logits = self.model(input_ids, attention_mask=attention_mask, return_dict=True).logits
        if self.activation == "softmax":
            logits = torch.softmax(logits, dim=-1)
        elif self.activation == "sigmoid":
            logits = torch.sigmoid(logits)
        return (logits, logits + 0)[: self.outputs]


def classification(model: nn.Module, labels: Sequence[str], problem: str | None) -> nn.Module:
    """Return the module of a classifier of texts: the scores that transformers' pipeline gives."""
    if problem == "regression":
        return Classification(model, activation="none", outputs=1)
    if len(labels) == 1 or problem == "multi_label_classification":
        return Classification(model, activation="sigmoid", outputs=1)
    return Classification(model, activation="softmax", outputs=2)


def classification_outputs(labels: Sequence[str], problem: str | None) -> list[Output]:
    """Return the outputs of a classifier of texts."""
    if len(labels) == 1:
        return [Output("score")]
    scores = Output("scores", shape=[len(labels)])
    if problem in ("regression", "multi_label_classification"):
        return [scores]
    return [Output("label", labels=list(labels)), scores]
