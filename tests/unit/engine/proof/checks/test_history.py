from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError, SignatureError

RAGGED = si.Signature(inputs=[si.RaggedInput("x", column="x", mask=True)], outputs=[si.Output("y")])
SCALARS = si.Signature(inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")])
FORMATS = ("export", "module")


def save(path: Path, model: nn.Module, signature: si.Signature, format: Any, **options: Any) -> Any:
    if format == "module":
        options["module"] = f"{__name__}:{type(model).__name__}"
    return si.save_bundle(path, model, signature=signature, format=format, **options)


def predict(bundle: Bundle, **columns: Any) -> list[float]:
    model = si.load_model(bundle, allow_modules=(__name__,))
    options = si.BatchOptions(batch_size=2)
    return si.Predictor(model, bundle, options).predict(pa.table(columns))["y"].to_pylist()


class Standardizes(nn.Module):
    """Fits its mean to the first batch."""

    mean: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self.mean is None:
            self.mean = torch.nan_to_num(x).mean(0)
        return (x - self.mean).sum(1)


class Standardized(nn.Module):
    """Holds what it fits in a dict, in a part."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Standardizes()
        self.held: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        if "scale" not in self.held:
            self.held["scale"] = torch.nan_to_num(x).abs().max()
        return x.sum(1) / self.held["scale"]


class Calibrates(nn.Module):
    """Fits a number to its first ten batches."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def forward(self, x: Tensor) -> Tensor:
        if len(self.seen) < 10:
            self.seen.append(float(torch.nan_to_num(x).abs().max()))
        return x.sum(1) / max(self.seen)


class ByClass(nn.Module):
    """Fits an attribute of its class."""

    first: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if ByClass.first is None:
            ByClass.first = torch.nan_to_num(x).sum(1)[:1]
        return x.sum(1) - ByClass.first


class Remembers(nn.Module):
    """Looks up answers by a key that different rows share."""

    def __init__(self) -> None:
        super().__init__()
        self.memo: dict[float, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.memo.setdefault(float(row[0]), row.sum()) for row in x])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("row_independent", [True, False])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Standardizes, "mean"),
        (Standardized, r"held\['scale'\]"),
        (Calibrates, "seen"),
        (ByClass, "first"),
        (Remembers, "memo.*"),
    ],
)
def test_what_is_fitted_to_the_first_rows_is_refused_and_undone(
    tmp_path: Path, kind: type[nn.Module], name: str, format: Any, row_independent: bool
) -> None:
    model = kind()
    before = repr((vars(model), vars(kind).get("first")))
    with pytest.raises(
        SignatureError,
        match=rf"depend on the rows that it saw before.*forward\(\) changes .{name}.[;,]|"
        "answers the same row differently|depends on the rows beside",
    ):
        save(tmp_path / "b", model, SCALARS, format, row_independent=row_independent)
    assert repr((vars(model), vars(kind).get("first"))) == before


class Queued(nn.Module):
    """Fits something that is not looked into."""

    def __init__(self) -> None:
        super().__init__()
        self.first: SimpleQueue[float] = SimpleQueue()

    def forward(self, x: Tensor) -> Tensor:
        first = float(x.sum()) if self.first.empty() else self.first.get()
        self.first.put(first)
        return x.float().sum(1) - first


def test_what_the_stored_model_fits_to_other_rows_is_refused(tmp_path: Path) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"], dtype="int64")],
        outputs=[si.Output("y", dtype="float32")],
    )
    with pytest.raises(BundleError, match="the stored model answers otherwise than the model"):
        save(tmp_path / "b", Queued(), signature, "module")


def test_of_a_stochastic_model_too(tmp_path: Path) -> None:
    class Noisy(Standardizes):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + torch.rand(len(x))

    model = Noisy()
    with pytest.raises(SignatureError, match=r"forward\(\) changes 'mean'; fit that before saving"):
        save(tmp_path / "b", model, SCALARS, "export", stochastic=True)
    assert "mean" not in vars(model)


class OwnGenerator(nn.Module):
    """Draws from a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator()

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1) + torch.rand(len(x), generator=self.generator)


def test_a_generator_of_the_models_own_is_no_history(tmp_path: Path) -> None:
    save(tmp_path / "b", OwnGenerator(), SCALARS, "module", stochastic=True)


def test_what_was_fitted_before_is_stored(tmp_path: Path) -> None:
    model = Standardizes()
    model(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    bundle = save(tmp_path / "b", model, SCALARS, "export")
    assert predict(bundle, a=[10.0, 20.0], b=[0.0, 0.0]) == [5.0, 15.0]
    with pytest.raises(BundleError, match=r"answers otherwise than the model.*plain attributes"):
        save(tmp_path / "c", model, SCALARS, "module")
    assert model.mean.tolist() == [2.0, 3.0]


class Grows(nn.Module):
    """Weighs positions by a table that grows with the longest row."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Any = None

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.table is None or self.table.shape[0] < x.shape[1]:
            self.table = 1 + torch.arange(x.shape[1])
        return (x * mask * self.table[: x.shape[1]]).sum(1)


class Caches(nn.Module):
    """Keeps a table for each length."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[int, Tensor] = {}

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        length = x.shape[1]
        if length not in self.tables:
            self.tables[length] = 1 + torch.arange(length)
        return (x * mask * self.tables[length]).sum(1)


class Notes(nn.Module):
    """Keeps what somebody may want to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.last_attention: Any = None
        self.history: list[int] = []
        self.num_calls = 0

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        self.num_calls += 1
        weights = mask * (1 + torch.arange(x.shape[1]))
        self.last_attention = weights
        self.history.append(self.num_calls)
        return (x * weights).sum(1)


@pytest.mark.parametrize(
    ("kind", "format"),
    [
        (Grows, "export"),
        (Grows, "module"),
        (Caches, "module"),
        (Notes, "export"),
        (Notes, "module"),
    ],
)
def test_what_does_not_count_may_be_kept(
    tmp_path: Path, kind: type[nn.Module], format: Any
) -> None:
    model = kind()
    before = repr(vars(model))
    bundle = save(tmp_path / "b", model, RAGGED, format)
    assert repr(vars(model)) == before
    assert predict(bundle, x=[[1.0], [2.0, 3.0], [1.0] * 700]) == [1.0, 8.0, 245350.0]


class Drifts(nn.Module):
    """Changes a weight or buffer where no version counter sees it."""

    def __init__(self, how: str = "") -> None:
        super().__init__()
        self.how = how
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "weight":
            self.weight.data.mul_(1 + 1e-6)
        elif self.how == "mean":
            self.mean.data.lerp_(torch.nan_to_num(x).clamp(-50, 50).mean(0), 1e-7)
        else:
            self.mean.numpy()[0] += 1e-7
        return ((x - self.mean) * self.weight).sum(1)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("how", ["weight", "mean", "numpy"])
def test_a_model_that_drifts_is_refused_and_left_as_it_was(
    tmp_path: Path, how: str, format: Any
) -> None:
    model = Drifts(how)
    name = "weight" if how == "weight" else "mean"
    with pytest.raises(SignatureError, match=f"the model changes its '{name}' while it predicts"):
        save(tmp_path / "b", model, SCALARS, format)
    assert model.weight.tolist() == [1.0, 1.0]
    assert model.mean.tolist() == [0.0, 0.0]


def test_a_stochastic_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = Drifts("weight")
    arguments = {"how": "weight"}
    save(tmp_path / "b", model, SCALARS, "module", stochastic=True, arguments=arguments)
    assert model.weight.tolist() == [1.0, 1.0]
