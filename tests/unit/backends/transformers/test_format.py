"""Directories of Hugging Face answer from a bundle as they do in their own library."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, DistilBertConfig, RobertaConfig

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.backends.formats import Said, find_format
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError, SignatureError, SparkInferError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "on", "a", "mat", "dog", "ran"]
WORDS += ["free", "money", "now"]
MARKS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
PLAIN = {"tokenizer_class": "PreTrainedTokenizerFast", **MARKS}
TEXTS = [
    "the cat sat",
    "FREE money now " * 30,
    "",
    "a unicorn ran",
    "dog",
    "the the the mat on a dog",
]
LABELS = {0: "ham", 1: "spam", 2: "eggs"}
SIZES: dict[str, Any] = {
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
    "pad_token_id": 0,
    "id2label": LABELS,
    "label2id": {label: number for number, label in LABELS.items()},
    # Weights as they are drawn are too small to tell texts apart.
    "initializer_range": 0.5,
}


def tokenizer() -> Tokenizer:
    found = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    found.normalizer = normalizers.Lowercase()
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    found.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    found.add_special_tokens(list(MARKS.values()))
    return found


def directory(path: Path, kind: str, config: Any = None) -> Path:
    """Make a directory with a small random model."""
    torch.manual_seed(0)
    model = getattr(transformers, kind)(config or BertConfig(**SIZES))
    model.save_pretrained(path)
    tokenizer().save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps(PLAIN))
    return path


def own(path: Path, kind: str) -> Callable[[str], Any]:
    """Return what the library answers to one text."""
    model = getattr(transformers, kind).from_pretrained(path, local_files_only=True).eval()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))
    most = 24 if model.config.model_type != "roberta" else 23

    def ask(text: str) -> Any:
        given = fast(text, return_tensors="pt", truncation=True, max_length=most)
        with torch.inference_mode():
            return model(input_ids=given["input_ids"], attention_mask=given["attention_mask"])

    return ask


def predict(bundle: Bundle, column: str = "text") -> dict[str, list[Any]]:
    bundle = Bundle.load(bundle.path)
    rows = {column: [*TEXTS, None]}
    found: dict[str, list[Any]] = (
        si.Predictor(si.load_model(bundle), bundle).predict(rows).to_pydict()
    )
    return found


def test_a_classifier(tmp_path: Path) -> None:
    path = directory(tmp_path / "m", "BertForSequenceClassification")
    bundle = si.save_bundle(tmp_path / "b", path, columns=["message"])
    assert bundle.manifest.base.format == "export"
    assert {"transformers", "tokenizers", "torch"} < set(bundle.manifest.built_with)
    found = predict(bundle, "message")
    ask = own(path, "AutoModelForSequenceClassification")
    for text, label, scores in zip(TEXTS, found["label"], found["scores"], strict=False):
        expected = torch.softmax(ask(text).logits[0], 0).numpy()
        assert np.abs(np.array(scores) - expected).max() <= 1e-5
        assert label == LABELS[int(expected.argmax())]
    assert found["label"][-1] is None
    assert len(set(map(tuple, found["scores"][:-1]))) == len(TEXTS)


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize(
    ("kind", "config", "task"),
    [
        ("BertModel", None, "embedding"),
        ("BertForSequenceClassification", None, "cls-embedding"),
        (
            "DistilBertModel",
            DistilBertConfig(
                vocab_size=len(WORDS),
                dim=16,
                n_layers=2,
                n_heads=2,
                hidden_dim=32,
                max_position_embeddings=24,
                initializer_range=0.5,
            ),
            "embedding",
        ),
        ("RobertaModel", RobertaConfig(**SIZES), "embedding"),
    ],
)
def test_an_embedding(tmp_path: Path, kind: str, config: Any, task: str) -> None:
    path = directory(tmp_path / "m", kind, config)
    bundle = si.save_bundle(tmp_path / "b", path, task=task)
    found = predict(bundle)["embedding"]
    ask = own(path, "AutoModel")
    for text, vector in zip(TEXTS, found, strict=False):
        (tokens,) = ask(text).last_hidden_state.numpy()
        expected = tokens[0] if task == "cls-embedding" else tokens.mean(axis=0)
        assert np.abs(np.array(vector) - expected).max() <= 1e-5


def test_labels_of_tokens(tmp_path: Path) -> None:
    path = directory(tmp_path / "m", "BertForTokenClassification")
    bundle = si.save_bundle(tmp_path / "b", path)
    ask = own(path, "AutoModelForTokenClassification")
    for text, labels in zip(TEXTS, predict(bundle)["labels"], strict=False):
        assert labels == [LABELS[int(number)] for number in ask(text).logits[0].argmax(-1)]


def test_one_score_is_that_of_the_pipeline(tmp_path: Path) -> None:
    sizes = {**SIZES, "id2label": {0: "spam"}, "label2id": {"spam": 0}}
    path = directory(tmp_path / "m", "BertForSequenceClassification", BertConfig(**sizes))
    found = predict(si.save_bundle(tmp_path / "b", path))["score"]
    pipeline = transformers.pipeline("text-classification", model=str(path))
    for text, score in zip(TEXTS, found, strict=False):
        (expected,) = pipeline(text, truncation=True, max_length=24)
        assert score == pytest.approx(expected["score"], abs=1e-5)


@pytest.mark.parametrize("problem", ["regression", "multi_label_classification", None])
@pytest.mark.parametrize("count", [1, 3])
def test_scores_are_those_of_the_pipeline(tmp_path: Path, problem: str | None, count: int) -> None:
    names = {number: f"n{number}" for number in range(count)}
    sizes = {**SIZES, "id2label": names, "label2id": {n: i for i, n in names.items()}}
    config = BertConfig(**sizes, problem_type=problem)
    path = directory(tmp_path / "m", "BertForSequenceClassification", config)
    taken = take(path)
    ids = torch.tensor([[2, 5, 3]])
    with torch.inference_mode():
        scores = taken.model(ids, torch.ones_like(ids))[-1][0].tolist()
    pipeline = transformers.pipeline("text-classification", model=str(path), top_k=None)
    expected = {found["label"]: found["score"] for found in pipeline(["cat"])[0]}
    assert scores == pytest.approx([expected[names[n]] for n in range(count)], abs=1e-5)
    is_label = problem is None and count > 1
    outputs = [output.name for output in taken.signature.outputs]
    scored = "score" if count == 1 else "scores"
    assert outputs == (["label", scored] if is_label else [scored])


def take(path: Path, **said: Any) -> Any:
    return find_format("transformers").take(path, Said(**said))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory(tmp_path_factory.mktemp("m"), "BertForSequenceClassification")


def copied(source: Path, path: Path, but: tuple[str, ...] = (), **files: Any) -> Path:
    path.mkdir()
    for file in source.iterdir():
        if file.name not in but:
            (path / file.name).write_bytes(file.read_bytes())
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return path


def changed(source: Path, **settings: Any) -> dict[str, Any]:
    return json.loads((source / "config.json").read_text()) | settings  # type: ignore[no-any-return]


def test_the_signature_follows_the_configuration(classifier: Path, tmp_path: Path) -> None:
    (item,) = take(classifier).signature.inputs
    assert (item.max_length, item.pad_value, item.column) == (24, 0, "text")
    short = copied(classifier, tmp_path / "s", tokenizer_config={**PLAIN, "model_max_length": 9})
    (item,) = take(short, columns=["note"]).signature.inputs
    assert (item.max_length, item.column) == (9, "note")
    config = changed(classifier, problem_type="multi_label_classification")
    several = take(copied(classifier, tmp_path / "m", config=config)).signature.outputs
    assert [(output.name, output.shape) for output in several] == [("scores", (3,))]


@pytest.mark.parametrize(
    ("but", "add", "says"),
    [
        (("tokenizer.json",), "", "there is no tokenizer.json.*AutoTokenizer"),
        (("model.safetensors",), "pytorch_model.bin", "its weights are in pytorch_model.bin"),
        (("model.safetensors",), "", "it holds no weights.*save_pretrained"),
        (("config.json",), "", "holds no config.json"),
    ],
)
def test_a_directory_that_lacks_something(
    classifier: Path, tmp_path: Path, but: tuple[str, ...], add: str, says: str
) -> None:
    path = copied(classifier, tmp_path / "m", but)
    if add:
        (path / add).write_bytes(b"\x80\x04.")
    with pytest.raises(BundleError, match=says) as raised:
        si.save_bundle(tmp_path / "b", path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("files", "options", "says"),
    [
        ({}, {"task": "translation"}, "task 'translation' is unknown"),
        ({}, {"task": "embeding"}, "did you mean 'embedding'"),
        ({}, {"columns": ["a", "b"]}, "one column of text, got"),
        ({}, {"inputs": {"input_ids": "a"}}, "no signature or inputs"),
        ({"tokenizer_config": {"auto_map": {"AutoTokenizer": "x.Y"}}}, {}, "code of its own"),
        ({"tokenizer": [1]}, {}, "must hold a JSON object"),
        ({"tokenizer": {"model": 1}}, {}, "does not load its tokenizer"),
    ],
)
def test_what_is_refused(
    classifier: Path, tmp_path: Path, files: dict[str, Any], options: Any, says: str
) -> None:
    path = copied(classifier, tmp_path / "m", **files)
    with pytest.raises(SparkInferError, match=says):
        si.save_bundle(tmp_path / "b", path, **options)


def test_code_that_a_directory_brings_is_not_run(classifier: Path, tmp_path: Path) -> None:
    config = changed(classifier, auto_map={"AutoModel": "evil.Model"})
    path = copied(classifier, tmp_path / "m", config=config)
    (path / "evil.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(BundleError, match=r"config.json names code of its own \(auto_map\)"):
        si.save_bundle(tmp_path / "b", path)


def test_weights_that_are_not_there_are_not_drawn(tmp_path: Path) -> None:
    path = directory(tmp_path / "m", "BertModel")
    with pytest.raises(BundleError, match=r"no weights for classifier\.bias, classifier\.weight"):
        si.save_bundle(tmp_path / "b", path, task="classification")


def test_a_model_without_a_known_use_needs_a_task(classifier: Path, tmp_path: Path) -> None:
    path = copied(classifier, tmp_path / "m", config=changed(classifier, architectures=["X"]))
    with pytest.raises(BundleError, match=r"what its model .* is for is not said; pass task="):
        si.save_bundle(tmp_path / "b", path)


def test_text_that_is_no_utf8_is_rejected(classifier: Path) -> None:
    (item,) = take(classifier).signature.inputs
    from spark_infer.transforms import find_transformer

    raw = pa.array([b"the cat", b"\xff\xfe", None], pa.binary())
    values = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    found = find_transformer(item)(values)
    assert found.values.to_pylist() == [[2, 4, 5, 3], None, None]
    ((_, flags),) = found.failed.items()
    assert flags.tolist() == [False, True, False]


def test_a_bundle_holds_its_tokenizer(classifier: Path, tmp_path: Path) -> None:
    signature = take(classifier).signature
    from spark_infer.bundle import Signature

    data = json.loads(json.dumps(signature.to_json()))
    assert "document" not in json.dumps(data)
    documents = signature.vocabularies
    assert Signature.from_json(data, lambda name: documents[name]) == signature
    data["inputs"][0]["transform"]["document"] = "{}"
    with pytest.raises(SignatureError, match="key 'document' is unknown"):
        Signature.from_json(data, lambda name: documents[name])
    with pytest.raises(BundleError):
        load_backend(tmp_path / "nothing")
