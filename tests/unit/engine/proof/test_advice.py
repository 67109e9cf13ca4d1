"""What a model that fails is told, in one sentence and without torch's own words around it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

import spark_infer as si
from spark_infer.errors import SignatureError

WORDS = ["a", "b", "c"]


class Words(nn.Module):
    """Adds up embeddings of some inputs of one value each."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 1) for size in sizes)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        first, second = (
            table(ids).sum((1, 2)) for table, ids in zip(self.tables, (a, b), strict=True)
        )
        return first + second


class Bag(nn.Module):
    """The masked sum of a ragged input's embeddings."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.table = nn.Embedding(size, 1)

    def forward(self, x: Tensor, x_mask: Tensor) -> Tensor:
        return (self.table(x).squeeze(-1) * x_mask).sum(1)


def refused(path: Path, model: nn.Module, *inputs: Any, **options: Any) -> str:
    signature = si.Signature(inputs=inputs, outputs=[si.Output("y")])
    with pytest.raises(SignatureError) as caught:
        si.save_bundle(path / "b", model, signature=signature, **options)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert list(path.iterdir()) == []
    return str(caught.value)


def words(name: str, **options: Any) -> si.ScalarInput:
    return si.ScalarInput(name, columns=[name], vocabulary=WORDS, **options)


UNKNOWN = "it has no place for id 3 of input {!r}, which values outside the vocabulary become: an "
NEEDS = "embedding needs 4 rows, Embedding(len(vocabulary) + 1, ...)"


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [
        ((3, 4), UNKNOWN.format("a") + NEEDS),
        ((4, 3), UNKNOWN.format("b") + NEEDS),
        ((3, 3), "; ".join(UNKNOWN.format(name) + NEEDS for name in "ab")),
        ((2, 4), f"it has no place for all ids of input 'a': an {NEEDS}"),
    ],
)
def test_an_embedding_that_is_too_small(tmp_path: Path, sizes: Any, problem: str) -> None:
    message = refused(tmp_path, Words(*sizes), words("a"), words("b"))
    assert message.endswith(problem)
    assert "it was called with a int64" in message


@pytest.mark.parametrize("options", [{}, {"max_length": 5}, {"pad_to": 5}])
def test_an_embedding_that_is_too_small_for_a_ragged_input(tmp_path: Path, options: Any) -> None:
    item = si.RaggedInput("x", column="x", vocabulary=WORDS, **options)
    for model, more in ((Bag(3), {}), (Bag(3), {"format": "module", "module": "m:Bag"})):
        assert refused(tmp_path, model, item, **more).endswith(UNKNOWN.format("x") + NEEDS)


def test_an_unknown_id_of_the_users_own(tmp_path: Path) -> None:
    message = refused(tmp_path, Words(4, 4), words("a", unknown_id=7), words("b"))
    assert message.endswith("an embedding needs 8 rows, Embedding(8, ...)")
    signature = si.Signature(
        inputs=[words("a", unknown_id=0), words("b")], outputs=[si.Output("y")]
    )
    si.save_bundle(tmp_path / "b", Words(3, 4), signature=signature)


def test_numbers_that_the_model_takes_for_ids(tmp_path: Path) -> None:
    inputs = [si.ScalarInput(name, columns=[name]) for name in "ab"]
    message = refused(tmp_path, Words(4, 4), si.ScalarInput("a", columns=["a"]), words("b"))
    assert message.endswith("it runs on integers in input 'a': give that dtype='int64'")
    assert "format=" not in refused(tmp_path, Words(4, 4), *inputs)


class Takes(nn.Module):
    """A model of other arguments than those of a ragged input."""

    def one(self, x: Tensor) -> Tensor:
        return x.sum(1)

    def three(self, x: Tensor, mask: Tensor, more: Tensor) -> Tensor:
        return x.sum(1)

    def keyword(self, x: Tensor, *, x_mask: Tensor) -> Tensor:
        return x.sum(1)


@pytest.mark.parametrize(
    ("forward", "takes"),
    [("one", "(x)"), ("three", "(x, mask, more)"), ("keyword", "(x, *, x_mask)")],
)
def test_the_tensors_are_named_in_order_where_the_arguments_do_not_fit(
    tmp_path: Path, forward: str, takes: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = Takes()
    model.forward = getattr(model, forward)
    message = refused(tmp_path, model, si.RaggedInput("x", column="x"))
    assert (
        f"Takes is called with the tensors (x, x_mask) in this order, and its forward takes {takes}"
        in message
    )
    assert not caplog.records


def test_any_arguments_are_left_to_the_model(tmp_path: Path) -> None:
    class Hooked(Takes):
        forward = Takes.one

    model = Hooked()
    model.register_forward_pre_hook(lambda _, given: (given[0] * given[1],))
    item = si.RaggedInput("x", column="x")
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    with pytest.raises(Exception, match="Hooked") as caught:
        si.save_bundle(tmp_path / "b", model, signature=signature)
    assert "in this order" not in str(caught.value)


FAILS = """
import logging
import sys

import torch

import spark_infer as si

logging.basicConfig(level=logging.INFO)


class Model(torch.nn.Module):
    def forward(self, x):
        print("the user's own", file=sys.stderr)
        return {body}


signature = si.Signature(
    inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")]
)
try:
    si.save_bundle(sys.argv[1], Model(), signature=signature)
except si.errors.BundleError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "body", ["x * (int(x[0, 0].item()) % 3 + 1 > 0)", "torch.from_numpy(x.numpy())[:, 0]"]
)
@pytest.mark.processes
def test_nothing_but_the_sentence_is_printed_when_an_export_fails(
    tmp_path: Path, body: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILS.format(body=body), str(tmp_path / "b")],
        capture_output=True,
        text=True,
        check=True,
    )
    (sentence,) = done.stdout.splitlines()
    assert sentence.startswith("Model cannot be exported by torch.export")
    assert ", at <string>:14" in sentence or "; save it with format='module'" in sentence
    assert set(done.stderr.splitlines()) <= {"the user's own"}
