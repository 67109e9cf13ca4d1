from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.backends.torch.program.export import export
from spark_infer.backends.torch.program.graph import build_module, load_program
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError
from tests.unit.support.models import fraud_model


def test_the_program_holds_no_weights_and_no_code(fraud: Bundle) -> None:
    program = json.loads((fraud.artifact_path / "program.json").read_text())
    assert set(program) == {"inputs", "tensors", "nodes", "outputs"}
    assert {tensor["tensor"] for tensor in program["tensors"]} <= {*fraud_model().state_dict()}
    operators = {node["operator"].partition(".")[0] for node in program["nodes"]}
    assert operators <= {"aten", "operator"}


class Constants(nn.Module):
    """Uses every sort of tensor that a module can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.tensor([1.0, 2.0]))
        self.register_buffer("fleeting", torch.tensor([10.0, 20.0]), persistent=False)
        self.plain = torch.tensor([100.0, 200.0])
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))
        self.tied = self.weight

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        total = self.kept + self.fleeting + self.plain + torch.tensor([0.5, 0.5])
        return {"unused": x, "y": (x + total) @ self.weight + self.tied.sum()}


def test_constants_and_tied_weights_survive(tmp_path: Path) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")]
    )
    bundle = si.save_bundle(tmp_path / "b", Constants(), signature=signature)
    (output,) = load_backend(bundle).run({"x": np.zeros((1, 2), np.float32)})
    assert output.tolist() == [3 * 111.5 + 4 * 222.5 + 7]


class Positions(Constants):
    """Makes a tensor where its input is."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return super().forward(x * torch.arange(x.shape[1], device=x.device))


def test_a_program_makes_its_tensors_where_it_is_loaded_for(tmp_path: Path) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")]
    )
    bundle = si.save_bundle(tmp_path / "b", Positions(), signature=signature)
    # This device has no memory; torch refuses to mix it with the host, as it does for a GPU.
    module = load_program(bundle.artifact_path, "meta", 1)
    assert {value.device.type for value in module.state_dict().values()} == {"cpu"}
    outputs = module.to("meta")(torch.zeros(3, 2, device="meta"))
    assert [(output.device.type, output.shape) for output in outputs] == [("meta", (3,))]


def save(path: Path, model: nn.Module, item: si.RaggedInput, **options: Any) -> Bundle:
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    return si.save_bundle(path, model, signature=signature, **options)


class Steps(nn.Module):
    """Calls a function of the padded values and of their mask."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        self.places = nn.Parameter(torch.arange(24.0))

    def forward(self, x: torch.Tensor, x_mask: torch.Tensor) -> torch.Tensor:
        return self.function(self, x, x_mask)


def by_length(self: Steps, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (x * mask).sum(1) * (10.0 if x.shape[1] > 16 else 1.0)


def by_place(self: Steps, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (x * mask * self.places[: x.shape[1]]).sum(1)


def by_step(self: Steps, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    total = torch.zeros(x.shape[0])
    for position in range(x.shape[1]):
        total = total.tanh() * ~mask[:, position] + (total + x[:, position]) * mask[:, position]
    return (x * mask).sum(1)


def by_rows(self: Steps, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (x * mask).sum(1) + torch.zeros(len(x))


def in_fours(self: Steps, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (x * mask).view(x.shape[0], -1, 4).sum((1, 2))


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (by_length, {"max_length": 17}, r"at most 16 positions .*max_length=16.*format='module'"),
        (in_fours, {}, "format='module'"),
        (by_rows, {}, r"it takes 3 rows at a time.*x\.shape\[0\].*row_independent=False"),
        (by_step, {}, r"length of input 'x' cannot vary .*format='module'.*pad_to=LENGTH"),
    ],
)
def test_a_program_that_does_not_take_every_length_is_refused(
    function: Any, options: dict[str, Any], message: str
) -> None:
    item = si.RaggedInput("x", column="a", **options)
    signature = si.Signature(inputs=[item], outputs=[si.Output("y")])
    with pytest.raises(BundleError, match=f"Steps cannot be exported.*{message}"):
        export(Steps(function), signature)


@pytest.mark.parametrize(
    ("function", "options", "lengths"),
    [
        (by_length, {"max_length": 16}, [1, 16]),
        (by_length, {"pad_to": 20}, [1, 20]),
        (by_place, {"max_length": 24}, [1, 24]),
        (by_step, {"pad_to": 20}, [1, 20]),
        (in_fours, {"pad_multiple": 4}, [1, 4, 5, 40]),
        (in_fours, {"pad_multiple": 4, "max_length": 8}, [1, 4, 5, 8]),
    ],
)
def test_what_a_signature_says_of_lengths_lets_a_model_be_exported(
    tmp_path: Path, function: Any, options: dict[str, Any], lengths: list[int]
) -> None:
    model = Steps(function)
    bundle = save(tmp_path / "b", model, si.RaggedInput("x", column="a", **options))
    rows = pa.RecordBatch.from_pydict({"a": [[1.0] * length for length in lengths]})
    predicted = si.Predictor(si.load_model(bundle), bundle).predict(rows)["y"].to_pylist()
    factor = 10 if options.get("pad_to") == 20 and function is by_length else 1
    by_places = [length * (length - 1) / 2 for length in lengths]
    assert predicted == (by_places if function is by_place else [factor * n for n in lengths])


def test_two_inputs_that_must_be_of_one_length_are_refused() -> None:
    class Pairs(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a[:, 0] + b[:, 0] + (1.0 if a.shape[1] + 2 == b.shape[1] else 0.0)

    inputs = [si.RaggedInput(name, column=name, mask=False) for name in "ba"]
    with pytest.raises(
        BundleError, match=r"Pairs cannot be exported: the length of input '[ab]' must be"
    ):
        export(Pairs(), si.Signature(inputs=inputs, outputs=[si.Output("y")]))


def test_a_custom_operator_cannot_be_stored() -> None:
    @torch.library.custom_op("spark_infer_test::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    twice.register_fake(torch.empty_like)

    class Custom(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return twice(x)

    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")])
    with pytest.raises(BundleError, match=r"it calls spark_infer_test\.twice\.default, which"):
        export(Custom(), signature)


class Asserts(nn.Module):
    """Takes no negative number, and says so without a word."""

    def __init__(self, *, inside: bool) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def check(x: torch.Tensor) -> torch.Tensor:
            torch._assert_async((x >= 0).all())
            return x.sum(1)

        if self.inside:
            with torch.enable_grad():
                y = check(x)
            with torch.no_grad():
                return y + check(x)
        return check(x)


@pytest.mark.parametrize("inside", [False, True])
def test_assertions_without_a_message_are_stored(inside: bool) -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")]
    )
    stored = export(Asserts(inside=inside), signature)
    module = build_module(stored.program, stored.tensors, torch.device("cpu"))
    assert module(torch.ones(2, 2))[0].tolist() == ([4.0, 4.0] if inside else [2.0, 2.0])
    with pytest.raises(RuntimeError, match=r"an assertion in forward\(\) does not hold"):
        module(-torch.ones(2, 2))


def test_conditions_and_blocks_without_gradients_are_stored(tmp_path: Path) -> None:
    class Blocks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                y = self.line(x)
            big = (self.line.weight > 100).any()
            return torch.cond(big, lambda y: y.sin(), lambda y: y.cos() + 1, (y,))

    model = Blocks()
    signature = si.Signature(inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")])
    bundle = si.save_bundle(tmp_path / "b", model, signature=signature)
    (output,) = load_backend(bundle).run({"x": np.array([[0.5]], np.float32)})
    assert output.item() == pytest.approx(model(torch.tensor([[0.5]])).item())


def test_a_failed_export_leaves_the_model_as_it_was() -> None:
    model = nn.GRU(1, 2, batch_first=True)

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = model

        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.gru(x.unsqueeze(-1))[0].sum((1, 2))

    before = model(torch.ones(1, 4, 1))[0]
    item = si.RaggedInput("x", column="a")
    with pytest.raises(BundleError, match="cannot vary"):
        export(Wrapped(), si.Signature(inputs=[item], outputs=[si.Output("y")]))
    assert model(torch.ones(1, 4, 1))[0].equal(before)
    assert model.training
