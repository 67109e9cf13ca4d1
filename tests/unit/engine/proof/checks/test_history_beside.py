"""What a model fits to the first rows that it sees, and keeps outside of its modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.errors import SignatureError
from tests.unit.support import centers

SIGNATURE = si.Signature(inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")])
FORMATS = ("export", "module")


def save(path: Path, model: nn.Module, format: Any) -> Any:
    options = (
        {"module": f"{type(model).__module__}:{type(model).__name__}"} if format == "module" else {}
    )
    return si.save_bundle(path, model, signature=SIGNATURE, format=format, **options)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Undo what calls keep in places that outlive a model."""
    yield
    global CALLS
    CALLS = Counted.num_calls = 0
    MEMO.pop(2.0, None)
    centers.forget()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", centers.KINDS)
def test_what_is_fitted_to_the_first_rows_is_refused_and_undone(
    tmp_path: Path, kind: type[centers.Centers], format: Any
) -> None:
    model = kind()
    with pytest.raises(SignatureError, match="depend on the rows that it saw before") as raised:
        save(tmp_path / "b", model, format)
    assert f"forward() changes {centers.KINDS[kind]!r};" in str(raised.value)
    # What comes next is the first row again.
    assert model(torch.tensor([[1.0, 3.0]])).tolist() == [2.0]


MEMO: dict[float, float] = {1.0: 2.0}
CALLS = 0


def doubled(key: float) -> float:
    """Return twice a key, which is computed once."""
    return MEMO.setdefault(key, 2 * key)


class Counts(nn.Module):
    """Counts its calls in a global."""

    def forward(self, x: Tensor) -> Tensor:
        global CALLS
        CALLS += 1
        return x.sum(1)


class Memorizes(nn.Module):
    """Looks up what it computed before."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1) * doubled(float(x.shape[1]))


class Counted(nn.Module):
    """Counts its calls in its class."""

    num_calls = 0

    def forward(self, x: Tensor) -> Tensor:
        Counted.num_calls += 1
        return x.sum(1)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("kind", "y"), [(Counts, 3.0), (Memorizes, 12.0), (Counted, 3.0)])
def test_what_does_not_count_may_be_kept_and_is_as_before(
    tmp_path: Path, kind: type[nn.Module], y: float, format: Any
) -> None:
    bundle = save(tmp_path / "b", kind(), format)
    assert (CALLS, MEMO, Counted.num_calls) == (0, {1.0: 2.0}, 0)
    model = si.load_model(bundle, allow_modules=(__name__,))
    answers = si.Predictor(model, bundle).predict(pa.table({"a": [1.0], "b": [2.0]}))
    assert answers["y"].to_pylist() == [y]
    # The bundle's own run goes on keeping it.
    if format == "module":
        assert (CALLS > 0, MEMO.get(2.0), Counted.num_calls > 0) == (
            kind is Counts,
            4.0 if kind is Memorizes else None,
            kind is Counted,
        )
