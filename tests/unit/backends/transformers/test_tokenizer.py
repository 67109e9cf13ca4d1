"""A bundle's tokenizer gives the tokens that transformers gives of the same directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, processors

import spark_infer as si
from spark_infer.bundle import Mask, Output, RaggedInput, Signature, Tokenize
from spark_infer.errors import BundleError, SignatureError
from spark_infer.transforms import find_transformer
from tests.unit.backends.transformers.test_format import (
    PLAIN,
    TEXTS,
    changed,
    copied,
    directory,
    take,
    tokenizer,
)

BERT = {**PLAIN, "tokenizer_class": "BertTokenizer", "model_max_length": 24}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory(tmp_path_factory.mktemp("m"), "BertModel")


def tokens(path: Path) -> list[list[int]]:
    (item,) = take(path).signature.inputs
    found: list[list[int]] = find_transformer(item)(pa.array(TEXTS)).values.to_pylist()
    return found


def theirs(path: Path) -> list[list[int]]:
    auto = transformers.AutoTokenizer.from_pretrained(path)
    return [auto(text, truncation=True, max_length=9)["input_ids"] for text in TEXTS]


@pytest.mark.parametrize("said", ["left", "right"])
@pytest.mark.parametrize("drawn", [None, "left", "right"])
def test_texts_are_cut_on_the_side_that_the_configuration_says(
    plain: Path, tmp_path: Path, said: str, drawn: str | None
) -> None:
    config = {**PLAIN, "model_max_length": 9, "truncation_side": said}
    path = copied(plain, tmp_path / "m", tokenizer_config=config)
    if drawn is not None:
        made = tokenizer()
        made.enable_truncation(5, direction=drawn)
        made.save(str(path / "tokenizer.json"))
    assert tokens(path) == theirs(path)


def test_the_side_of_the_document_is_taken_where_nothing_else_says(
    plain: Path, tmp_path: Path
) -> None:
    path = copied(plain, tmp_path / "m", tokenizer_config={**PLAIN, "model_max_length": 9})
    made = tokenizer()
    made.enable_truncation(5, direction="left")
    made.save(str(path / "tokenizer.json"))
    assert tokens(path) == theirs(path)


def changes(made: Tokenizer, kind: str) -> None:
    if kind == "case":
        made.normalizer = None
    elif kind == "marks":
        made.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    elif kind == "added":
        made.add_tokens([AddedToken("ran away")])


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("case", {**BERT, "do_lower_case": True}),
        ("case", {**BERT, "do_lower_case": False}),
        ("", {**BERT, "do_lower_case": False}),
        ("", {**PLAIN, "mask_token": "cat sat"}),
        ("", {**PLAIN, "additional_special_tokens": ["the mat"]}),
        ("", {**PLAIN, "extra_special_tokens": {"x": "the mat"}}),
        ("added", BERT),
        ("marks", BERT),
    ],
)
def test_tokens_that_differ_from_those_of_transformers_are_refused(
    plain: Path, tmp_path: Path, kind: str, config: Any
) -> None:
    path = copied(plain, tmp_path / "m", tokenizer_config=config)
    made = tokenizer()
    changes(made, kind)
    made.save(str(path / "tokenizer.json"))
    with pytest.raises(BundleError, match=r"of the text .* tokenizer\.json makes .*save_pretr"):
        take(path)
    # What the message says helps.
    transformers.AutoTokenizer.from_pretrained(path).save_pretrained(path)
    (item,) = take(path).signature.inputs
    auto = transformers.AutoTokenizer.from_pretrained(path)
    texts = [*TEXTS, "The CAT [SEP] sat on the mat", "cat sat", "ran away"]
    expected = [auto(text, truncation=True, max_length=24)["input_ids"] for text in texts]
    assert find_transformer(item)(pa.array(texts)).values.to_pylist() == expected


def test_special_tokens_that_are_split_are_refused(plain: Path, tmp_path: Path) -> None:
    config = {**PLAIN, "split_special_tokens": True}
    with pytest.raises(BundleError, match=r"split_special_tokens .* remove it"):
        take(copied(plain, tmp_path / "m", tokenizer_config=config))


def test_another_tokenizer_of_the_same_directory_is_refused(plain: Path, tmp_path: Path) -> None:
    other = tokenizer()
    other.normalizer = normalizers.Sequence([normalizers.Replace("cat", "dog")])
    config = {**PLAIN, "fast_tokenizer_files": ["tokenizer.4.0.0.json", "tokenizer.json"]}
    path = copied(plain, tmp_path / "m", tokenizer_config=config)
    other.save(str(path / "tokenizer.4.0.0.json"))
    auto = transformers.AutoTokenizer.from_pretrained(path)
    assert auto("cat")["input_ids"] != tokenizer().encode("cat").ids
    with pytest.raises(BundleError, match="of the text"):
        take(path)


def test_types_of_tokens_are_refused(plain: Path, tmp_path: Path) -> None:
    config = {**PLAIN, "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
    path = copied(plain, tmp_path / "m", tokenizer_config=config)
    made = tokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="$A:0 [CLS]:2", special_tokens=[("[CLS]", 2)]
    )
    made.save(str(path / "tokenizer.json"))
    with pytest.raises(BundleError, match="several types"):
        take(path)


@pytest.mark.parametrize("marks", ["[CLS] $A [SEP]", "$A"])
def test_a_tokenizer_that_tells_no_texts_apart_is_refused(
    plain: Path, tmp_path: Path, marks: str
) -> None:
    made = tokenizer()
    made.normalizer = normalizers.Replace(Regex(r"[\s\S]"), "")
    made.post_processor = processors.TemplateProcessing(
        single=marks, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    path = copied(plain, tmp_path / "m")
    made = Tokenizer.from_str(made.to_str())
    document = json.loads(made.to_str()) | {"added_tokens": []}
    (path / "tokenizer.json").write_text(json.dumps(document))
    (path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": PLAIN["tokenizer_class"]})
    )
    with pytest.raises(BundleError, match="same tokens of every text"):
        take(path)


def test_a_limit_that_is_below_the_marks_is_refused(plain: Path, tmp_path: Path) -> None:
    path = copied(plain, tmp_path / "m", config=changed(plain, max_position_embeddings=2))
    with pytest.raises(BundleError):
        take(path)


@pytest.mark.parametrize("fails", [False, True])
def test_a_tokenizer_that_takes_no_text_is_refused_with_any_module(
    tmp_path: Path, fails: bool
) -> None:
    class Sum(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = torch.nn.Embedding(3, 4)

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            found = self.words(ids) * mask.unsqueeze(-1)
            return found[:, 0].sum(1) if fails else found.sum((1, 2))

    made = Tokenizer(models.WordLevel({}, unk_token="[NONE]"))
    item = RaggedInput(
        "ids",
        column="text",
        dtype="int64",
        transform=Tokenize(document=made.to_str()),
        mask=Mask(tensor="mask", dtype="int64"),
    )
    signature = Signature(inputs=[item], outputs=[Output("y")])
    with pytest.raises(SignatureError, match="the bundle is not saved"):
        si.save_bundle(tmp_path / "b", Sum(), signature=signature)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (
            "post_processor",
            {
                "type": "TemplateProcessing",
                "single": [
                    {"SpecialToken": {"id": "[X]", "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                ],
                "pair": [],
                "special_tokens": {},
            },
        ),
        ("pre_tokenizer", {"type": "FixedLength", "length": 0}),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "/////w=="}),
    ],
)
def test_a_panic_of_the_library_is_one_sentence(
    plain: Path, tmp_path: Path, part: str, value: Any
) -> None:
    path = copied(plain, tmp_path / "m")
    data = json.loads((path / "tokenizer.json").read_text())
    (path / "tokenizer.json").write_text(json.dumps(data | {part: value}))
    with pytest.raises(BundleError, match=r"fails on the text|does not load its tokenizer"):
        take(path)
