"""Models of several families are traced, with one tokenizer, and give their own vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import spark_infer as si
from spark_infer.errors import SignatureError
from tests.unit.backends.transformers.test_format import SIZES, TEXTS, directory

BERT = {**SIZES, "num_hidden_layers": 1}
IDS = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
DISENTANGLED = {**BERT, "relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
KINDS: dict[str, dict[str, Any]] = {
    "Deberta": DISENTANGLED,
    "DebertaV2": {**DISENTANGLED, "position_buckets": 8, "share_att_key": True},
    "MPNet": BERT,
    "ModernBert": {**BERT, **IDS, "local_attention": 8},
    "Llama": {**BERT, **IDS},
}


def saved(path: Path, kind: str, sizes: dict[str, Any]) -> Path:
    config = getattr(transformers, f"{kind}Config")(**sizes)
    return directory(path, f"{kind}Model", config)


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_gives_its_own_vectors(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path / "m", kind, KINDS[kind])
    bundle = si.save_bundle(tmp_path / "b", path, task="embedding")
    assert bundle.manifest.base.format == "export"
    vectors = si.Predictor(si.load_model(bundle), bundle).predict({"text": TEXTS})["embedding"]

    model = getattr(transformers, f"{kind}Model").from_pretrained(path).eval()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))
    (most,) = (item.max_length for item in bundle.signature.inputs)
    # MPNet counts places from behind the id 1, which is that of padding in its own vocabulary.
    assert most == (22 if kind == "MPNet" else 24)
    for text, vector in zip(TEXTS, vectors.to_pylist(), strict=True):
        given = fast(text, return_tensors="pt", truncation=True, max_length=most)
        with torch.inference_mode():
            hidden = model(given["input_ids"], attention_mask=given["attention_mask"])[0][0]
        torch.testing.assert_close(torch.tensor(vector), hidden.mean(0), rtol=1e-5, atol=1e-5)


def test_a_model_that_mixes_positions_with_padding_is_refused(tmp_path: Path) -> None:
    sizes = {key: value for key, value in BERT.items() if key != "num_attention_heads"}
    path = saved(tmp_path / "m", "FNet", sizes)
    with pytest.raises(SignatureError, match="depends on its padding"):
        si.save_bundle(tmp_path / "b", path, task="embedding")
