"""Transformers that torch.export cannot trace: a class around one, by its import path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import LongformerConfig, LongformerForSequenceClassification

import spark_infer as si
from spark_infer.errors import BundleError
from tests.unit.backends.transformers.test_format import SIZES, TEXTS, directory

pytestmark = pytest.mark.processes


class Scores(torch.nn.Module):
    """Shares of the labels.

    Args:
        config: The model's configuration.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.model = LongformerForSequenceClassification(LongformerConfig(**config))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids, attention_mask=attention_mask).logits
        return torch.softmax(logits, dim=-1)


def test_a_model_that_cannot_be_traced_is_refused_and_saved_by_its_path(tmp_path: Path) -> None:
    sizes = {**SIZES, "attention_window": [8, 8], "max_position_embeddings": 32}
    kind = "LongformerForSequenceClassification"
    path = directory(tmp_path / "long", kind, LongformerConfig(**sizes))
    with pytest.raises(BundleError, match=r"cannot be exported .*format='module'"):
        si.save_bundle(tmp_path / "refused", path, task="classification")

    theirs = LongformerForSequenceClassification.from_pretrained(path).eval()
    config = {**theirs.config.to_diff_dict(), "pad_token_id": 0}
    model = Scores(config)
    model.model.load_state_dict(theirs.state_dict())
    tokenize = si.Tokenize(document=(path / "tokenizer.json").read_text(), max_length=24)
    mask = si.Mask(tensor="attention_mask", dtype="int64")
    ids = si.RaggedInput(
        "input_ids", column="text", dtype="int64", transform=tokenize, max_length=24, mask=mask
    )
    bundle = si.save_bundle(
        tmp_path / "b",
        model,
        format="module",
        module=f"{__name__}:Scores",
        arguments={"config": config},
        signature=si.Signature(inputs=[ids], outputs=[si.Output("scores", shape=[3])]),
    )

    predictor = si.Predictor(si.load_model(bundle, allow_modules=[__name__]), bundle)
    found = np.asarray(predictor.predict({"text": TEXTS})["scores"].to_pylist())
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))
    for text, scores in zip(TEXTS, found, strict=True):
        given = fast(text, return_tensors="pt", truncation=True, max_length=24)
        with torch.no_grad():
            wanted = torch.softmax(theirs(**given).logits, dim=-1)[0]
        assert np.abs(scores - wanted.numpy()).max() <= 1e-5
