from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spark_infer.bundle import Column, Manifest, Output, RaggedInput, ScalarInput, Signature
from spark_infer.errors import BundleError

MANIFEST = Manifest(
    name="fraude naïve",
    model_format="module",
    signature=Signature(
        inputs=[
            ScalarInput("x", columns=["a", Column("night", nulls=0.0)]),
            ScalarInput("city", columns=["city"], vocabulary=["Gent", "Liège"]),
            RaggedInput("ids", column="ids", vocabulary=[30, 10], unknown_id=0),
        ],
        outputs=[Output("y", labels=["no", "yes"])],
    ),
    features={"night": "hour(ts) <= 6"},
    model={"module": "m:C", "arguments": {"hidden": 8}},
    description="One paragraph.",
    metadata={"auc": 0.9, "tags": ["a"]},
    built_with={"python": "3.11"},
)


def edit(root: Path, **changes: Any) -> None:
    data = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps(data | changes))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    assert Manifest.read(tmp_path) == MANIFEST


def test_vocabularies_are_files_of_their_own(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    written = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("vocabularies/*")}
    assert written == {"city.json": ["Gent", "Liège"], "ids.json": [30, 10]}
    assert "Gent" not in (tmp_path / "manifest.json").read_text()


@pytest.mark.parametrize("version", [2, 0, None, "1"])
def test_another_format_version_is_refused(tmp_path: Path, version: object) -> None:
    MANIFEST.write(tmp_path)
    edit(tmp_path, format_version=version)
    with pytest.raises(BundleError, match=f"format version {version!r} is not known.*version 1"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"])
def test_an_unreadable_manifest(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("data", ["[]", "7"])
def test_json_of_another_shape_has_no_version(tmp_path: Path, data: str) -> None:
    (tmp_path / "manifest.json").write_text(data)
    with pytest.raises(BundleError, match="format version None"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize(
    "signature",
    [
        {},
        [],
        {"inputs": [], "outputs": []},
        {"inputs": [{"kind": "image", "name": "x"}], "outputs": [{"name": "y"}]},
        {"inputs": [{"kind": "ragged", "name": "x", "colour": 1}], "outputs": [{"name": "y"}]},
        {"inputs": [{"kind": "ragged", "name": "x", "vocabulary": "no.json"}], "outputs": []},
    ],
)
def test_a_damaged_signature(tmp_path: Path, signature: object) -> None:
    MANIFEST.write(tmp_path)
    edit(tmp_path, signature=signature)
    with pytest.raises(BundleError, match=r"manifest\.json is damaged .*save the bundle again"):
        Manifest.read(tmp_path)


def test_a_missing_key(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    data = json.loads((tmp_path / "manifest.json").read_text())
    del data["features"]
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match=r"is damaged \(KeyError: 'features'\)"):
        Manifest.read(tmp_path)


def test_an_unknown_model_format(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    edit(tmp_path, model_format="pickle")
    with pytest.raises(BundleError, match=r"model format 'pickle' is not known; known: \['export'"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_metadata_must_be_json(tmp_path: Path, value: object) -> None:
    manifest = Manifest(
        name="m", model_format="export", signature=MANIFEST.signature, metadata={"value": value}
    )
    with pytest.raises(BundleError, match="bundle 'm': metadata must be JSON data"):
        manifest.write(tmp_path)


def test_a_vocabulary_outside_the_bundle_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "bundle"
    root.mkdir()
    MANIFEST.write(root)
    (tmp_path / "secret.json").write_text('["a"]')
    signature = MANIFEST.signature.to_json()
    signature["inputs"][1]["vocabulary"] = "../secret.json"
    edit(root, signature=signature)
    with pytest.raises(BundleError, match="lies outside the bundle"):
        Manifest.read(root)
