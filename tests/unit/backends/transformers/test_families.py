"""Directories as the tokenizers and models of transformers save them are taken as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

import spark_infer as si

CORPUS = [
    "the cat sat on a mat and looked at the dog",
    "a fine film, with a naive plot: it's 100% fun!",
    "dogs don't like cats; cats don't care (much)",
] * 20
ROWS = ["A fine CAT!", "dull", "", "it's naïve — 100% café"]
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
}


def words(marks: list[str]) -> dict[str, int]:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=marks)
    made.train_from_iterator(CORPUS, trainer)
    return made.get_vocab()


def pairs(marks: list[str]) -> dict[str, Any]:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=350, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    model = json.loads(made.to_str())["model"]
    return {"vocab": model["vocab"], "merges": [tuple(pair) for pair in model["merges"]]}


def pieces(marks: list[str]) -> list[tuple[str, float]]:
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=marks, unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    return [tuple(piece) for piece in json.loads(made.to_str())["model"]["vocab"]]


BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
FAMILIES: dict[str, Callable[[], dict[str, Any]]] = {
    "Bert": lambda: {"vocab": words(BERT)},
    "Roberta": lambda: pairs(ROBERTA),
    "XLMRoberta": lambda: {"vocab": pieces(ROBERTA[:4])},
    "Albert": lambda: {"vocab": pieces(["<pad>", "<unk>", *BERT[2:]])},
}


@pytest.mark.nightly_after(2)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_directory_that_transformers_saved_gives_its_own_vectors(
    tmp_path: Path, family: str
) -> None:
    torch.manual_seed(0)
    given = FAMILIES[family]()
    tokenizer = getattr(transformers, f"{family}Tokenizer")(**given, model_max_length=64)
    config = getattr(transformers, f"{family}Config")
    model = getattr(transformers, f"{family}Model")(config(vocab_size=len(tokenizer) + 2, **SMALL))
    model.eval()
    for part in (tokenizer, model):
        part.save_pretrained(tmp_path / "m")
    bundle = si.save_bundle(tmp_path / "b", tmp_path / "m", columns=["t"], task="embedding")
    predictor = si.Predictor(si.load_model(bundle), bundle)
    found = predictor.predict(pa.table({"t": ROWS})).column(0).to_pylist()
    auto = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    for text, vector in zip(ROWS, found, strict=True):
        made = auto(text, return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            hidden = model(**made).last_hidden_state[0]
        torch.testing.assert_close(torch.tensor(vector), hidden.mean(0), rtol=1e-5, atol=1e-5)
