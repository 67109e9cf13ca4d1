from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from torch import Tensor, nn

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError, SignatureError, SparkInferError

HERE = __name__
RAGGED = si.RaggedInput("x", column="x")


class Function(nn.Module):
    """Calls a function of its tensors."""

    def __init__(self, function: Any = None) -> None:
        super().__init__()
        self.function = function
        self.places = nn.Embedding(9, 1)
        self.gru = nn.GRU(1, 4, batch_first=True)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(self, *tensors)


def save(path: Path, function: Any, item: Any = RAGGED, **options: Any) -> Bundle:
    torch.manual_seed(1)
    output = options.pop("output", si.Output("y"))
    signature = si.Signature(inputs=[item], outputs=[output])
    return si.save_bundle(path, Function(function), signature=signature, **options)


def predict(bundle: Bundle, column: list[Any], **options: Any) -> list[dict[str, Any]]:
    backend = load_backend(bundle, allow_modules=(HERE,))
    predictor = si.Predictor(si.LocalModel(backend), bundle, si.BatchOptions(**options))
    rows = pa.RecordBatch.from_pydict({"x": column})
    return predictor.predict(rows).to_pylist()


def masked_sum(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1)


def masked_attention(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x.masked_fill(~mask, -torch.inf).softmax(1).nan_to_num() * x).sum(1)


def last_real(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return x[torch.arange(x.shape[0]), (mask.sum(1) - 1).clamp(min=0)]


@pytest.mark.parametrize("function", [masked_sum, masked_attention, last_real])
def test_models_that_mind_their_mask_are_saved(tmp_path: Path, function: Any) -> None:
    bundle = save(tmp_path / "b", function)
    rows = [[1.0] * 17, [2.0], [1.0] * 40, [3.0, 1.0]]
    together = [row["y"] for row in predict(bundle, rows)]
    alone = [predict(bundle, [row])[0]["y"] for row in rows]
    assert together == pytest.approx(alone)


def mean(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return x.mean(1)


def last(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return x[:, -1]


def largest(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return x.amax(1)


def count_positions(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1) + x.shape[1]


def recurrent(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return self.gru(x.unsqueeze(-1))[0][:, -1].sum(1)


def by_length(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1) * (10.0 if x.shape[1] > 16 else 1.0)


@pytest.mark.parametrize("function", [mean, last, largest, count_positions, recurrent, by_length])
@pytest.mark.parametrize("format", ["export", "module"])
def test_what_depends_on_padding_is_refused_with_the_row(
    tmp_path: Path, function: Any, format: Any
) -> None:
    options = {"format": format, "module": f"{HERE}:Function"} if format == "module" else {}
    with pytest.raises(
        SignatureError,
        match=r"depends on its padding, the row \{'x': .*'y' is .* alone and .* padded to \d+ pos.*"
        r"x_mask.*pad_to.*row_independent=False",
    ):
        save(tmp_path / "b", function, **options)
    assert list(tmp_path.iterdir()) == []


def minus_mean(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    total = (x * mask).sum(1)
    return total - total.mean()


def rank(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1).argsort().argsort().float()


def cumulative(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1).cumsum(0)


def by_rows(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1) * (10.0 if len(x) > 4 else 1.0)


def first_row(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1) + x[0, 0]


def by_many_rows(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1) * (10.0 if x.shape[0] > 200 else 1.0)


def clipped(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    total = (x * mask).sum(1)
    return total.minimum(total.abs().mean() + 1000)


def imputed(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return torch.where(x.isnan(), x.nanmean(), x).mul(mask).sum(1)


def hardly(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    total = (x * mask).sum(1) * 1e-7
    return total + total.mean()


@pytest.mark.parametrize(
    "function",
    [
        *(minus_mean, rank, cumulative, by_rows, first_row),
        *(by_many_rows, clipped, imputed, hardly),
    ],
)
def test_what_depends_on_the_rows_beside_it_is_refused_with_the_row(
    tmp_path: Path, function: Any
) -> None:
    with pytest.raises(
        SignatureError,
        match=r"rows beside it, the row \{'x': .*(alone and .* in a batch of \d|beside some)",
    ):
        save(tmp_path / "b", function)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (minus_mean, [0.0, 0.0, 0.0, 0.0]),
        (cumulative, [17.0, 40.0, 3.0, 3.0]),
        (mean, [1.0, 1.0, 1.0, 1.0]),
        (count_positions, [34.0, 80.0, 6.0, 6.0]),
    ],
)
def test_rows_that_depend_on_each_other_run_one_by_one(
    tmp_path: Path, function: Any, expected: list[float]
) -> None:
    # Of a single row, minus_mean answers 0 whatever the row is: only a sample can show that.
    sample = {"x": [[1.0] * 17, [1.0] * 40]} if function is minus_mean else None
    bundle = save(tmp_path / "b", function, row_independent=False, sample=sample)
    assert not Bundle.load(tmp_path / "b").manifest.row_independent
    rows = [[1.0] * 17, [1.0] * 40, [1.0] * 3, [1.0] * 3]
    for options in ({}, {"pad_multiple": 8, "dedupe": True, "batch_size": 4}):
        assert [row["y"] for row in predict(bundle, rows, **options)] == expected


def test_branches_on_the_length_are_right_in_python_code_and_one_by_one(tmp_path: Path) -> None:
    class_path = f"{HERE}:ByLength"
    signature = si.Signature(inputs=[RAGGED], outputs=[si.Output("y")])
    bundle = si.save_bundle(
        tmp_path / "b",
        ByLength(),
        signature=signature,
        format="module",
        module=class_path,
        row_independent=False,
    )
    rows = [[1.0] * 17, [1.0] * 40, [1.0] * 3]
    assert [row["y"] for row in predict(bundle, rows)] == [170.0, 400.0, 3.0]


class ByLength(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return by_length(None, x, mask)  # type: ignore[arg-type]


class Forgetful(nn.Module):
    """Holds a number that is in neither its arguments nor its state."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = 1.0
        self.register_buffer("offset", torch.zeros(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0] * self.factor + self.offset


@pytest.mark.parametrize(("name", "value"), [("factor", 3.0), ("offset", torch.ones(1))])
def test_a_module_that_is_rebuilt_otherwise_is_refused(
    tmp_path: Path, name: str, value: Any
) -> None:
    model = Forgetful()
    setattr(model, name, value)
    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["x"])], outputs=[si.Output("y")])
    with pytest.raises(
        BundleError, match=f"the model's '{name}' is .* in one that is made from its class and arg"
    ):
        si.save_bundle(
            tmp_path / "b",
            model,
            signature=signature,
            format="module",
            module=f"{HERE}:Forgetful",
        )
    saved = si.save_bundle(tmp_path / "c", model, signature=signature)
    (row,) = predict(saved, [2.0])
    assert row["y"] == (6.0 if name == "factor" else 3.0)


def moving(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    self.calls.copy_(self.calls * 0.9999999 + x.mean() * 1e-7)
    return (x * mask).sum(1) - self.calls


def replacing(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    self.calls = self.calls + 1
    return (x * mask).sum(1)


@pytest.mark.parametrize("function", [moving, replacing])
@pytest.mark.parametrize("format", ["export", "module"])
def test_a_model_that_changes_its_buffers_is_refused_and_left_as_it_was(
    tmp_path: Path, function: Any, format: Any
) -> None:
    options = {"format": format, "module": f"{HERE}:Function"} if format == "module" else {}
    model = Function(function)
    signature = si.Signature(inputs=[RAGGED], outputs=[si.Output("y")])
    with pytest.raises(SignatureError, match="the model changes its 'calls' while it predicts"):
        si.save_bundle(tmp_path / "b", model, signature=signature, **options)
    assert model.calls.item() == 0
    assert dict(model.named_buffers())["calls"] is model.calls


def counting(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    self.calls += 1
    return (x * mask).sum(1) + self.calls


def drawing(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).sum(1) + torch.rand(x.shape[0])


@pytest.mark.parametrize("function", [counting, drawing])
def test_a_model_that_answers_the_same_row_differently_is_refused(
    tmp_path: Path, function: Any
) -> None:
    with pytest.raises(SignatureError, match=r"answers the same row differently.*stochastic=True"):
        save(tmp_path / "b", function)


def test_of_a_stochastic_model_shapes_are_checked(tmp_path: Path) -> None:
    bundle = save(tmp_path / "b", drawing, stochastic=True)
    assert len(predict(bundle, [[1.0], [2.0, 3.0]])) == 2
    with pytest.raises(SignatureError, match="returned shape"):
        save(tmp_path / "c", lambda self, x, mask: torch.rand(x.shape[0], 2), stochastic=True)


def averages_over_padding(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    places = torch.arange(x.shape[1]) / 8
    weights = (x + places).masked_fill(~mask, -1e9).softmax(1)
    return (weights * (x + places)).sum(1)


def needs_a_value(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    if not mask.any(1).all():
        raise ValueError("a row is empty")
    return (x * mask).sum(1)


@pytest.mark.parametrize(
    ("function", "format", "why"),
    [
        (averages_over_padding, "export", "the model's answer depends on padding"),
        (
            needs_a_value,
            "module",
            r"the model fails \(ValueError: a row is empty, at test_proof.py:\d+\)",
        ),
    ],
)
def test_empty_rows_without_a_sure_answer_are_rejected(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    function: Any,
    format: Any,
    why: str,
) -> None:
    signature = si.Signature(inputs=[RAGGED], outputs=[si.Output("y")])
    options = {"format": format, "module": f"{HERE}:NeedsAValue"} if format == "module" else {}
    model = NeedsAValue() if format == "module" else Function(function)
    with caplog.at_level(logging.WARNING, "spark_infer"):
        bundle = si.save_bundle(tmp_path / "b", model, signature=signature, **options)
    assert "rows without a value are rejected (min_length=1)" in caplog.text
    assert bundle.signature.inputs[0].min_length == 1  # type: ignore[attr-defined]
    empty, full = predict(bundle, [[], [1.0]])
    assert empty == {"y": None, "rejected_reason": "column 'x' is shorter than 1"}
    assert full["y"] == pytest.approx(1.0)
    for item in (
        si.RaggedInput("x", column="x", min_length=0),
        si.RaggedInput("x", column="x", nulls="empty"),
    ):
        strict = si.Signature(inputs=[item], outputs=[si.Output("y")])
        with pytest.raises(SignatureError, match=f"{why} where input 'x' is empty"):
            si.save_bundle(tmp_path / "c", model, signature=strict, **options)


class NeedsAValue(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return needs_a_value(None, x, mask)  # type: ignore[arg-type]


def test_empty_rows_with_a_sure_answer_are_predicted(tmp_path: Path) -> None:
    bundle = save(tmp_path / "b", masked_sum)
    assert predict(bundle, [[], [1.0]])[0] == {"y": 0.0, "rejected_reason": None}


def placed(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return ((x + self.places(torch.arange(x.shape[1]))[:, 0]) * mask).sum(1)


def convolved(self: Function, x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask).unsqueeze(1).unfold(2, 5, 5).sum((1, 2, 3)) * 0 + (x * mask).sum(1)


@pytest.mark.parametrize(
    ("function", "advice", "options"),
    [
        (placed, "it runs on 9 positions of input 'x': give that max_length=9", {"max_length": 9}),
        (
            convolved,
            "it runs on 5 positions of input 'x': give that pad_multiple=5",
            {"pad_multiple": 5},
        ),
    ],
)
def test_a_model_that_fails_on_a_length_is_refused_with_what_helps(
    tmp_path: Path, function: Any, advice: str, options: dict[str, Any]
) -> None:
    with pytest.raises(SignatureError, match=f"the model fails .*{advice}"):
        save(tmp_path / "b", function)
    save(tmp_path / "b", function, si.RaggedInput("x", column="x", **options))


@pytest.mark.parametrize("ids", [2, 3])
def test_an_embedding_must_hold_the_unknown_id(tmp_path: Path, ids: int) -> None:
    class Embeds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(ids, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.table(x[:, 0])

    item = si.ScalarInput("x", columns=["x"], vocabulary=["a", "b"])
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    if ids == 3:
        si.save_bundle(tmp_path / "b", Embeds(), signature=signature)
    else:
        with pytest.raises(SignatureError, match=r"the model fails .*len\(vocabulary\) \+ 1"):
            si.save_bundle(tmp_path / "b", Embeds(), signature=signature)


def test_a_sample_shows_what_random_rows_do_not(tmp_path: Path) -> None:
    def only_far_out(self: Function, x: Tensor) -> Tensor:
        far = (x[:, 0] > 1e6) & x[:, 0].isfinite()
        return x[:, 0] + torch.where(far, x[:, 0].mean() * 1e6, 0)

    item = si.ScalarInput("x", columns=["x"])
    save(tmp_path / "b", only_far_out, item)
    rows = pa.table({"x": [1.0, 2e6, 3.0]})
    with pytest.raises(
        SignatureError, match=r"depends on the rows beside it, the row \{'x': 2e\+06"
    ):
        save(tmp_path / "b", only_far_out, item, sample=rows)


@pytest.mark.parametrize(
    "sample", [{"x": [None, None]}, {"x": pa.array([], pa.list_(pa.float32()))}]
)
def test_a_sample_of_which_no_row_is_accepted_shows_nothing(tmp_path: Path, sample: Any) -> None:
    save(tmp_path / "b", masked_sum, sample=sample)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_are_allowed_their_own_error(tmp_path: Path, dtype: torch.dtype) -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 1)).to(dtype)

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x.to(dtype)).float()

    item = si.ScalarInput("x", columns=list("abcd"))
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    torch.manual_seed(2)
    si.save_bundle(tmp_path / "b", Wide(), signature=signature)


def test_outputs_of_other_kinds_are_compared_too(tmp_path: Path) -> None:
    def class_of_batch(self: Function, x: Tensor) -> Tensor:
        return (x[:, 0] > x[:, 0].mean()).long()

    item = si.ScalarInput("x", columns=["x"])
    for output in (si.Output("y", dtype="int64"), si.Output("y", dtype="int64", labels=["a", "b"])):
        with pytest.raises(SignatureError, match="depends on the rows beside it"):
            save(tmp_path / "b", class_of_batch, item, output=output)


class Picky(nn.Module):
    """Raises on NaN in Python code, of which nothing is traced."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.compiler.is_compiling() and torch.isnan(x).any():
            raise ValueError("NaN is no amount")
        return torch.nan_to_num(x).sum(1)


def test_a_row_on_which_the_model_fails_must_fail_the_stored_one(tmp_path: Path) -> None:
    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["x"])], outputs=[si.Output("y")])
    with pytest.raises(
        BundleError, match=r"fails on the row {'x': nan}, and the stored model predicts it; check"
    ):
        si.save_bundle(tmp_path / "b", Picky(), signature=signature)
    options = {"format": "module", "module": f"{HERE}:Picky"}
    saved = si.save_bundle(tmp_path / "c", Picky(), signature=signature, **options)
    rows = predict(saved, [1.0, float("nan")], max_rejected_share=1.0)
    assert [row["y"] for row in rows] == [1.0, None]


def test_an_assertion_without_a_message_rejects_its_rows(tmp_path: Path) -> None:
    def forward(self: Function, x: Tensor, mask: Tensor) -> Tensor:
        torch._assert_async((x < 5_000).all())
        return (x * mask).sum(1)

    saved = save(tmp_path / "b", forward)
    rows = predict(saved, [[1.0], [6_000.0], [2.0]], max_rejected_share=1.0)
    assert [row["y"] for row in rows] == [1.0, None, 2.0]


def test_a_model_on_a_device_is_sent_to_the_processor(tmp_path: Path) -> None:
    model = nn.Linear(1, 1, device="meta")
    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["x"])], outputs=[si.Output("y")])
    with pytest.raises(SparkInferError, match=r"the model is on meta; .*model\.cpu\(\)"):
        si.save_bundle(tmp_path / "b", model, signature=signature)
