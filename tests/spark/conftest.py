"""One Spark session for all tests of this folder, and a small bundle to predict with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pyspark.sql import DataFrame, SparkSession

import spark_infer as si
from tests.sessions import local_session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    root = tmp_path_factory.mktemp("spark")
    session = local_session(root, "tests")
    yield session
    session.stop()


class Mixture(torch.nn.Module):
    """Weighs two numbers and adds the mean of a ragged row: easy to compute by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor([1.0, 10.0]))

    def forward(
        self, numbers: torch.Tensor, words: torch.Tensor, words_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        real = words_mask.to(torch.float32)
        mean = (words * real).sum(1) / real.sum(1).clamp(min=1)
        return (numbers * self.weights).sum(1) + 100 * mean, words * 2.0


@pytest.fixture(scope="session")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    """A bundle with packed scalars, a vocabulary over a ragged column and two outputs."""
    signature = si.Signature(
        inputs=[
            si.ScalarInput("numbers", columns=["a", si.Column("b", nulls=0.5)]),
            si.RaggedInput("words", column="w", vocabulary=("x", "y", "z"), nulls="empty"),
        ],
        outputs=[si.Output("score"), si.Output("doubled", lengths_of="words")],
    )
    path = tmp_path_factory.mktemp("bundles") / "mixture"
    return si.save_bundle(path, Mixture(), signature=signature)


@pytest.fixture(scope="session")
def linear(tmp_path_factory: pytest.TempPathFactory) -> si.Bundle:
    """A bundle with one output over two scalar columns, one of them a feature."""
    model = torch.nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 10.0]]))
        model.bias.zero_()
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "double_b"])], outputs=[si.Output("score")]
    )
    path = tmp_path_factory.mktemp("bundles") / "linear"
    return si.save_bundle(path, model, signature=signature, features={"double_b": "b * 2"})


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    """Three rows: plain, with an empty list and a null that is filled, and one to reject."""
    return spark.createDataFrame(
        [
            (1, 1.0, 2, ["x", "z"]),
            (2, 2.0, None, []),
            (3, None, 3, ["y"]),
        ],
        "id int, a double, b int, w array<string>",
    )


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return tmp_path / "bundles"
