from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from spark_infer.bundle import (
    ArrayInput,
    Artifact,
    Column,
    HashBuckets,
    Manifest,
    Mask,
    Output,
    RaggedInput,
    ScalarInput,
    Signature,
)
from spark_infer.errors import BundleError, SignatureError
from tests.unit.support.artifacts import EXPORTED

MANIFEST = Manifest(
    name="fraude naïve",
    artifacts={
        "base": Artifact(format="module", model={"module": "m:C", "arguments": {"hidden": 8}})
    },
    signature=Signature(
        inputs=[
            ScalarInput("x", columns=["a", Column("night", nulls=0.0)]),
            ScalarInput("city", columns=["city"], vocabulary=["Gent", "Liège"], tensor="in/city"),
            ScalarInput("shop", columns=["shop"], transform=HashBuckets(num_buckets=9)),
            RaggedInput(
                *("ids",),
                column="ids",
                vocabulary=[30, 10],
                unknown_id=0,
                mask=Mask(tensor="attention_mask", dtype="int64"),
                zeros=["token_type_ids"],
            ),
        ],
        outputs=[Output("y", labels=["no", "yes"], tensor="Identity:0")],
    ),
    features={"night": "hour(ts) <= 6"},
    source_types={"ts": "timestamp"},
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


@pytest.mark.parametrize("version", [4, 0, -1, None, "3", 3.0, True, [3]])
def test_another_format_version_is_refused(tmp_path: Path, version: object) -> None:
    MANIFEST.write(tmp_path)
    edit(tmp_path, format_version=version)
    shown = re.escape(repr(version))
    with pytest.raises(BundleError, match=f"format version {shown} is not known.*version 3"):
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


@pytest.mark.parametrize("version", [1, 2])
def test_a_bundle_of_an_earlier_version_is_to_be_saved_again(tmp_path: Path, version: int) -> None:
    MANIFEST.write(tmp_path)
    edit(tmp_path, format_version=version)
    with pytest.raises(BundleError, match=r"an earlier spark_infer wrote it .*with save_bundle$"):
        Manifest.read(tmp_path)


def test_what_rows_share_is_kept(tmp_path: Path) -> None:
    manifest = dataclasses.replace(MANIFEST, row_independent=False, stochastic=True)
    manifest.write(tmp_path)
    read = Manifest.read(tmp_path)
    assert (read.row_independent, read.stochastic) == (False, True)
    assert Manifest(name="m", artifacts=EXPORTED, signature=MANIFEST.signature).row_independent


def test_a_missing_key(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    data = json.loads((tmp_path / "manifest.json").read_text())
    del data["features"]
    (tmp_path / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match=r"is damaged \(manifest: key 'features' is missing\)"):
        Manifest.read(tmp_path)


def with_lengths(lengths: Any) -> Manifest:
    inputs = [
        ArrayInput("x", column="a", shape=[2], lengths=lengths),
        RaggedInput("r", column="b", shape=[2], lengths=lengths),
    ]
    signature = Signature(inputs=inputs, outputs=[Output("y")])
    return Manifest(name="m", artifacts=EXPORTED, signature=signature)


def test_what_another_shape_does_is_written_only_where_it_is_not_the_default(
    tmp_path: Path,
) -> None:
    for lengths, written in (("reject", 0), ("error", 2)):
        with_lengths(lengths).write(tmp_path)
        assert (tmp_path / "manifest.json").read_text().count('"lengths": ') == written
        read = Manifest.read(tmp_path)
        assert read == with_lengths(lengths)
        assert [item.lengths for item in read.signature.inputs] == [lengths] * 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("lengths", "problem"),
    [("errors", "lengths must be 'reject' or 'error', got 'errors'"), (None, "got None")],
)
def test_another_word_for_what_another_shape_does(
    tmp_path: Path, lengths: object, problem: str
) -> None:
    with_lengths("error").write(tmp_path)
    data = json.loads((tmp_path / "manifest.json").read_text())
    data["signature"]["inputs"][0]["lengths"] = lengths
    edit(tmp_path, signature=data["signature"])
    with pytest.raises(BundleError, match=problem):
        Manifest.read(tmp_path)


def test_an_unknown_model_format(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    edit(tmp_path, artifacts={"base": {"format": "pickle", "model": {}, "certificate": None}})
    with pytest.raises(BundleError, match=r"must be 'export', .*got 'pickle'"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_metadata_must_be_json(tmp_path: Path, value: object) -> None:
    manifest = Manifest(
        name="m",
        artifacts=EXPORTED,
        signature=MANIFEST.signature,
        metadata={"value": value},
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


def test_a_manifest_larger_than_any_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(
        BundleError, match=r"manifest\.json cannot be read: it has more than 16,777"
    ):
        Manifest.read(tmp_path)


def test_what_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    manifest = dataclasses.replace(MANIFEST, metadata={"log": "x" * 2**24})
    with pytest.raises(BundleError, match=r"manifest\.json would have 16,77.* at most 16,777,216"):
        manifest.write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("null", "must be a list, got null"),
        ('"ab"', "a vocabulary is a list, not a string"),
        ('{"a": 0}', "vocabulary must be a list, got {'a': 0}"),
        ("7", "vocabulary must be a list, got 7"),
        ('["a", 1]', "strings or integers, all of one kind"),
        ("[1.0]", "strings or integers, all of one kind"),
        ("[[1]]", "strings or integers, all of one kind"),
        ("[true]", "strings or integers, all of one kind"),
        ("[]", "at least one"),
        ('["a", "a"]', "names a value twice"),
        ('["a"', "city.json cannot be read"),
    ],
)
def test_a_damaged_vocabulary(tmp_path: Path, text: str, message: str) -> None:
    MANIFEST.write(tmp_path)
    (tmp_path / "vocabularies" / "city.json").write_text(text)
    with pytest.raises(BundleError, match=message):
        Manifest.read(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 5}, "manifest: name must be a valid string, got 5"),
        ({"name": ""}, "name must be printable"),
        ({"name": "a\nb"}, "name must be printable"),
        ({"stochastic": "x"}, "stochastic must be a valid boolean, got 'x'"),
        ({"row_independent": 1}, "row_independent must be a valid boolean, got 1"),
        ({"features": {"night": 5}}, r"features\['night'\] must be a valid string, got 5"),
        ({"features": {"tx_id": "0"}}, "feature 'tx_id' is no column of the signature"),
        ({"features": [1]}, r"features must be a valid dictionary, got \[1\]"),
        ({"signature": None}, "signature must be an instance of Signature, got None"),
        ({"signature": {}}, "signature must be an instance of Signature, got {}"),
        (
            {"signature": {"inputs": MANIFEST.signature.inputs, "outputs": [Output("y")]}},
            "signature must be an instance of Signature",
        ),
        ({"built_with": {"torch": None}}, r"built_with\['torch'\] must be a valid string"),
        ({"metadata": {1: 2}}, "metadata"),
        ({"description": b"x"}, "description must be a valid string, got b'x'"),
        (
            {"artifacts": {}},
            r"artifacts must be variants of the model, 'base' among them, got \[\]",
        ),
        ({"artifacts": {"int8": Artifact(format="export")}}, r"'base' among them, got \['int8'\]"),
        ({"artifacts": MANIFEST.artifacts | {"../x": MANIFEST.base}}, "must be variants of the"),
        ({"artifacts": {"base": None}}, r"artifacts\['base'\] must be an instance of Artifact"),
        ({"source_types": {"ts": "timestmp"}}, r"timestmp.*did you mean 'timestamp'\?"),
        ({"source_types": {"ts": "decimal(10,2)"}}, "the kinds of types are tinyint, smallint"),
        ({"source_types": {"": "date"}}, "a source column must have a non-empty name"),
        ({"features": {}}, "there are no features"),
        ({"source_types": {"ts_": "timestamp"}}, "source_types: no feature reads a column 'ts_'"),
        ({"source_types": {"st.ts": "date"}}, "source_types: no feature reads a column 'st.ts'"),
    ],
)
def test_values_of_another_type_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((BundleError, SignatureError), match=message):
        dataclasses.replace(MANIFEST, **changes)


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        ({"format": "module"}, "model of format 'module' must be a module"),
        ({"format": "module", "model": {"module": 5, "arguments": {}}}, "must be a module"),
        ({"format": "module", "model": {"module": "m:C", "arguments": []}}, "must be a module"),
        (
            {"format": "module", "model": {"module": "m:C", "arguments": {}, "x": 1}},
            "and nothing else",
        ),
        ({"format": "export", "model": {"x": 1}}, r"of format 'export' must be empty, got"),
        ({"format": "export", "model": 5}, "model must be a valid dictionary, got 5"),
        ({"format": "export", "certificate": 5}, "certificate must be a valid dictionary, got 5"),
    ],
)
def test_a_model_that_is_not_described_as_its_format_needs(
    artifact: dict[str, Any], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        Artifact(**artifact)


def test_variants_and_their_certificates_are_kept(tmp_path: Path) -> None:
    variants = MANIFEST.artifacts | {"int8": Artifact(format="export", certificate={"auc": 0.9})}
    manifest = dataclasses.replace(MANIFEST, artifacts=variants)
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest


@pytest.mark.parametrize("artifacts", [None, [], {"base": None}, {"base": {"format": "export"}}])
def test_damaged_artifacts(tmp_path: Path, artifacts: object) -> None:
    MANIFEST.write(tmp_path)
    edit(tmp_path, artifacts=artifacts)
    with pytest.raises(BundleError, match=r"manifest\.json is damaged \(.*artifacts.*save"):
        Manifest.read(tmp_path)


def test_only_what_saving_writes_is_read(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    signature = MANIFEST.signature.to_json()
    signature["inputs"][0]["dtype"] = ""  # would be read as the default
    edit(tmp_path, signature=signature)
    with pytest.raises(BundleError, match="is not what save_bundle writes of this signature"):
        Manifest.read(tmp_path)


def test_a_message_stays_short(tmp_path: Path) -> None:
    MANIFEST.write(tmp_path)
    signature = MANIFEST.signature.to_json()
    signature["inputs"][0]["name"] = "x y" * 10**6
    edit(tmp_path, signature=signature)
    with pytest.raises(BundleError) as caught:
        Manifest.read(tmp_path)
    assert len(str(caught.value)) < 1000
