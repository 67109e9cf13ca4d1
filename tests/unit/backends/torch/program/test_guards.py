from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sympy
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._sympy.functions import FloorDiv, Mod

import spark_infer as si
from spark_infer.backends.torch.program.export import export
from spark_infer.backends.torch.program.guards import Guards, Size
from spark_infer.errors import BundleError

Function = Callable[..., Tensor]


class Branches(nn.Module):
    """Ten times the sum of a row where a condition on sizes holds."""

    def __init__(self, condition: Callable[..., Any]) -> None:
        super().__init__()
        self.condition = condition

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return (x * mask).sum(1) * (10.0 if self.condition(*x.shape) else 1.0)


def ragged(**options: Any) -> si.Signature:
    item = si.RaggedInput("x", column="x", **options)
    return si.Signature(inputs=[item], outputs=[si.Output("y")])


@pytest.mark.parametrize(
    ("condition", "options", "words"),
    [
        (lambda rows, n: n == 7, {}, r"the length of input 'x' != 7, and .* allows 7 as"),
        (lambda rows, n: n == 5000, {}, r"the length of input 'x' != 5000, which cannot be shown"),
        (lambda rows, n: n % 12 == 0, {}, r"\(the length of input 'x' % 12\) != 0, .* allows 12"),
        (lambda rows, n: n % 12 == 0, {"pad_multiple": 4}, r"'x' / 4\).* allows 3 as \(the len"),
        (lambda rows, n: n * n == 49, {"max_length": 40}, r"allows 7 as the length"),
        (lambda rows, n: n // 4 == 2, {"max_length": 40}, r"allows 8 as the length"),
        (lambda rows, n: rows == 50, {}, r"the number of rows != 50, .* allows 50 .*row_indep"),
        (lambda rows, n: rows % 64 == 0, {}, r"allows 64 as the number of rows; .*row_indep"),
        (lambda rows, n: rows * n == 51, {}, r"allows 1 as .* and 51 as|51 as .* and 1 as"),
        (lambda rows, n: rows > n, {}, r"the number of rows"),
    ],
)
def test_a_branch_that_the_signature_can_reach_is_refused(
    condition: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BundleError, match=rf"Branches cannot be exported: .*{words}"):
        export(Branches(condition), ragged(**options))


@pytest.mark.parametrize(
    ("condition", "options"),
    [
        (lambda rows, n: n == 7, {"max_length": 6}),
        (lambda rows, n: n == 7, {"min_length": 8}),
        (lambda rows, n: n == 7, {"pad_multiple": 2}),
        (lambda rows, n: n == 7, {"pad_to": 9}),
        (lambda rows, n: n % 12 == 0, {"max_length": 11}),
        (lambda rows, n: n > 40, {"max_length": 40, "pad_multiple": 4}),
        (lambda rows, n: n < 5, {"min_length": 5}),
        (lambda rows, n: n < 5, {"pad_multiple": 5}),
        (lambda rows, n: rows < 1, {}),
    ],
)
def test_a_branch_that_the_signature_rules_out_is_no_matter(
    condition: Any, options: dict[str, Any]
) -> None:
    assert export(Branches(condition), ragged(**options)).program.nodes


def test_one_row_at_a_time_is_no_other_number(tmp_path: Path) -> None:
    model = Branches(lambda rows, n: rows == 50)
    bundle = si.save_bundle(tmp_path / "b", model, signature=ragged(), row_independent=False)
    predictor = si.Predictor(si.load_model(bundle), bundle)
    assert predictor.predict({"x": [[1.0]] * 50})["y"].to_pylist() == [1.0] * 50


class Interpolates(nn.Module):
    """Places of the length that it was trained on, interpolated for others, as vision models do."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.arange(24.0).reshape(1, 1, 24))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        places = self.places
        if x.shape[1] != 24:
            places = functional.interpolate(places, size=x.shape[1]) * 0.5
        return ((x + places[0]) * mask).sum(1)


def test_interpolated_places_are_refused_and_right_with_one_length(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="'x' != 24, and the signature allows 24"):
        si.save_bundle(
            tmp_path / "b",
            Interpolates(),
            signature=ragged(max_length=64),
            row_independent=False,
        )
    bundle = si.save_bundle(tmp_path / "b", Interpolates(), signature=ragged(pad_to=24))
    predictor = si.Predictor(si.load_model(bundle), bundle)
    assert predictor.predict({"x": [[0.0, 0.0, 5.0]]})["y"].to_pylist() == [8.0]


@pytest.mark.parametrize("max_length", [1, 2])
def test_the_shortest_lengths_can_be_exported(tmp_path: Path, max_length: int) -> None:
    model = Branches(lambda rows, n: False)
    bundle = si.save_bundle(tmp_path / "b", model, signature=ragged(max_length=max_length))
    predictor = si.Predictor(si.load_model(bundle), bundle)
    assert predictor.predict({"x": [[2.0], []]})["y"].to_pylist() == [2.0, 0.0]


def test_two_inputs_whose_lengths_are_compared_are_refused() -> None:
    class Pairs(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return a.sum(1) + b.sum(1) * (2.0 if a.shape[1] < b.shape[1] else 1.0)

    inputs = [si.RaggedInput(name, column=name, mask=False, min_length=3) for name in "ab"]
    with pytest.raises(BundleError, match=r"input 'a'.* input 'b', and the signature allows"):
        export(Pairs(), si.Signature(inputs=inputs, outputs=[si.Output("y")]))


ROWS, LENGTH, UNKNOWN = (sympy.Symbol(name, integer=True, positive=True) for name in "rnu")
SIZES = {ROWS: Size("rows", 1, None), LENGTH: Size("length", 2, 90, place=1, unit=4)}


@pytest.mark.parametrize(
    ("guard", "shown"),
    [
        (LENGTH >= 2, []),
        (sympy.Ne(LENGTH, 91), []),
        (LENGTH * ROWS >= 2, []),
        (sympy.Ne(Mod(LENGTH, 97), 0), []),
        (sympy.Eq(Mod(4 * LENGTH, 4), 0), []),
        (sympy.Ne(FloorDiv(LENGTH, 2), 1), [(1, 8), (5, 12)]),
        (FloorDiv(LENGTH, 2) > 1, [(1, 8), (5, 12)]),
        (FloorDiv(LENGTH, 2) >= 2, [(1, 8), (5, 12)]),
        (sympy.Ne(FloorDiv(ROWS, 2), 1), [(2, 8), (3, 8)]),
    ],
)
def test_conditions_that_hold(guard: Any, shown: list[tuple[int, int]]) -> None:
    Guards(SIZES, shown).check(guard)


@pytest.mark.parametrize(
    ("guard", "shown"),
    [
        (sympy.Ne(LENGTH, 7), [(1, 28)]),
        (sympy.Ne(FloorDiv(LENGTH, 2), 1), [(1, 8), (5, 16)]),
        (sympy.Ne(Mod(ROWS, 2), 1), [(rows, 8) for rows in range(5000)]),
        (sympy.Ne(ROWS, 100_000), []),
        (sympy.Ne(LENGTH * ROWS, 100_003), []),
        (LENGTH > ROWS, []),
        (sympy.Ne(UNKNOWN, 7), []),
        (UNKNOWN + LENGTH > 9, []),
    ],
)
def test_conditions_that_do_not_hold_or_are_not_understood(guard: Any, shown: list[Any]) -> None:
    with pytest.raises(BundleError, match=r"right only where .*, (and|which)"):
        Guards(SIZES, shown).check(guard)
