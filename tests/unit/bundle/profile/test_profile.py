"""The profile of a bundle: what is kept, and what is refused when it is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import spark_infer as si
from spark_infer.bundle.files.digest import seal
from spark_infer.bundle.profile import PROFILE_FILE, Distribution, Profile
from spark_infer.errors import BundleError, SignatureError
from tests.unit.support.models import LINE_SIGNATURE, Line, save_recurrent, visits

SAMPLE = {"a": [0.1, 0.2, 0.2, None, math.nan]}


def save(path: Path, **options: Any) -> si.Bundle:
    return si.save_bundle(path, Line(2.0), signature=LINE_SIGNATURE, **options)


@pytest.fixture
def bundle(tmp_path: Path) -> si.Bundle:
    return save(tmp_path / "line", profile=SAMPLE)


def test_a_bundle_keeps_what_goes_in_and_what_comes_out(bundle: si.Bundle) -> None:
    assert bundle.profile is not None
    a, y = bundle.profile.inputs["a"], bundle.profile.outputs["y"]
    assert (a.rows, a.nulls, a.not_finite) == (5, 1, 1)
    # As float32, which the model reads.
    assert (a.minimum, a.maximum) == (float(np.float32(0.1)), float(np.float32(0.2)))
    assert a.counts == (0, 1, 2, 0)
    assert (y.rows, y.nulls, y.not_finite, y.counts) == (5, 1, 1, (0, 1, 2, 0))
    assert y.mean == pytest.approx(1 / 3)
    assert si.Bundle.load(bundle.path).profile == bundle.profile


def test_it_is_part_of_the_digest(bundle: si.Bundle, tmp_path: Path) -> None:
    other = save(tmp_path / "other", name="line")
    assert other.profile is None
    assert other.digest != bundle.digest
    assert PROFILE_FILE in bundle.files
    (bundle.path / PROFILE_FILE).write_text("{}")
    with pytest.raises(BundleError, match=r"profile\.json was changed"):
        si.Bundle.load(bundle.path)


def test_arrays_and_words_have_none(tmp_path: Path) -> None:
    bundle = save_recurrent(tmp_path / "recurrent", profile=visits(1, 2, 3))
    assert bundle.profile is not None
    assert (dict(bundle.profile.inputs), set(bundle.profile.outputs)) == ({}, {"score"})


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"a": []}, "profile has no rows"),
        ({"b": [1.0]}, "column 'a'"),
        ({"a": ["x"]}, "column 'a'"),
        (5, "profile must be"),
    ],
)
def test_rows_that_are_none_of_the_signature(tmp_path: Path, profile: Any, said: str) -> None:
    with pytest.raises(SignatureError, match=said):
        save(tmp_path / "line", profile=profile)
    assert not list(tmp_path.iterdir())


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(data: dict[str, Any]) -> None:
        *sections, key = path.split(".")
        for section in sections:
            data = data[section]
        data[key] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("inputs", []),
        ("other", {}),
        ("inputs.a", {}),
        ("inputs.a.rows", 4),
        ("inputs.a.rows", 5.0),
        ("inputs.a.rows", True),
        ("inputs.a.nulls", -1),
        ("inputs.a.counts", [0, 1, 2]),
        ("inputs.a.counts", [0, 3, 1, -1]),
        ("inputs.a.counts", "0120"),
        ("inputs.a.counts", {"0": 1}),
        ("inputs.a.cuts", [0.2, 0.1, 0.3]),
        ("inputs.a.cuts", [0.1, 0.1, 0.3]),
        ("inputs.a.cuts", [0.1, "0.2", 0.3]),
        ("inputs.a.cuts", list(range(100_000))),
        ("inputs.a.minimum", None),
        ("inputs.a.maximum", "1"),
        ("inputs.a.mean", [1]),
        ("inputs.a.extra", 1),
        ("inputs.a.mean", 10**30),
        ("inputs.a.mean", -(2**63) - 1),
        ("inputs.a.mean", 10**400),
        ("inputs.a.minimum", -(10**400)),
        ("inputs.a.cuts", [0, 1, 10**30]),
        ("inputs.a.cuts", [0, 1, 10**400]),
        ("inputs.a.rows", 10**4000),
        ("inputs.a.nulls", 2**63),
        ("inputs.a.counts", [0, 1, 10**400, 0]),
    ],
)
def test_a_profile_that_is_none_is_refused(bundle: si.Bundle, path: str, value: Any) -> None:
    file = bundle.path / PROFILE_FILE
    data = json.loads(file.read_text())
    change(path, value)(data)
    file.write_text(json.dumps(data))
    seal(bundle.path)
    with pytest.raises(BundleError, match=r"profile\.json is damaged"):
        si.Bundle.load(bundle.path)


@pytest.mark.parametrize("number", [2**63, 10**30, 10**400])
def test_counts_that_add_up_to_a_number_that_is_too_large(bundle: si.Bundle, number: int) -> None:
    file = bundle.path / PROFILE_FILE
    data = json.loads(file.read_text())
    data["inputs"]["a"] |= {"rows": number + 2, "counts": [0, 0, number, 0]}
    file.write_text(json.dumps(data))
    seal(bundle.path)
    with pytest.raises(BundleError, match="an integer has more than 64 bits"):
        si.Bundle.load(bundle.path)


@pytest.mark.parametrize(("side", "name"), [("inputs", "y"), ("outputs", "a")])
def test_a_profile_of_another_signature_is_refused(bundle: si.Bundle, side: str, name: str) -> None:
    file = bundle.path / PROFILE_FILE
    data = json.loads(file.read_text())
    data[side][name] = data["inputs"]["a"]
    file.write_text(json.dumps(data))
    seal(bundle.path)
    what = "input column" if side == "inputs" else "output"
    with pytest.raises(BundleError, match=f"damaged \\('{name}' is no {what} of the signature"):
        si.Bundle.load(bundle.path)


@pytest.mark.parametrize("text", ["", "[", '{"inputs": {}, "inputs": {}}', "\xff", "[NaN]"])
def test_text_that_is_no_profile_is_refused(bundle: si.Bundle, text: str) -> None:
    (bundle.path / PROFILE_FILE).write_text(text, encoding="latin-1")
    seal(bundle.path)
    with pytest.raises(BundleError, match=r"profile\.json is damaged"):
        si.Bundle.load(bundle.path)


def test_numbers_that_are_not_finite_are_refused(bundle: si.Bundle) -> None:
    file = bundle.path / PROFILE_FILE
    for number in ("1e999", "Infinity", "NaN"):
        text = file.read_text()
        mean = json.loads(text)["inputs"]["a"]["mean"]
        file.write_text(text.replace(f'"mean": {mean!r}', f'"mean": {number}', 1))
        seal(bundle.path)
        with pytest.raises(BundleError, match="is no finite number"):
            si.Bundle.load(bundle.path)
        file.write_text(text)


def test_a_file_that_is_too_large_is_not_read(bundle: si.Bundle) -> None:
    (bundle.path / PROFILE_FILE).write_bytes(b" " * (2**24 + 1))
    seal(bundle.path)
    with pytest.raises(BundleError, match=r"profile\.json has more than"):
        si.Bundle.load(bundle.path)


def test_profiles_come_back_as_they_were() -> None:
    values = np.array([-1e308, 1e-300, 0.1, 1e308, 1e308])
    profile = Profile(inputs={"a": Distribution.of(values, 2)})
    text = json.dumps(profile.to_json(), allow_nan=False)
    assert Profile.from_json(json.loads(text)) == profile


def test_there_are_fifty_bins_with_as_many_values_each() -> None:
    found = Distribution.of(np.arange(1.0, 1001.0))
    assert len(found.counts) == 53
    assert (found.counts[0], found.counts[1], found.counts[-1]) == (0, 1, 0)
    assert set(found.counts[3:-1]) == {20}
    assert torch.tensor(found.counts).sum() == 1000
