"""Directories of sentence-transformers give its vectors, or say why they are not followed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import spark_infer as si
from spark_infer.errors import BundleError
from tests.unit.backends.transformers.test_format import (
    PLAIN,
    TEXTS,
    copied,
    directory,
    own,
    predict,
    take,
    tokenizer,
)

MEAN = {
    "word_embedding_dimension": 16,
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": True,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
}
OFF = dict.fromkeys((key for key in MEAN if "mode" in key), False)
DENSE = {
    "in_features": 16,
    "out_features": 4,
    "bias": True,
    "activation_function": "torch.nn.modules.activation.Tanh",
}
FOLDERS = {
    "Transformer": "",
    "Pooling": "1_Pooling",
    "Dense": "2_Dense",
    "Normalize": "3_Normalize",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory(tmp_path_factory.mktemp("m"), "BertModel")


def layout(
    source: Path,
    path: Path,
    *kinds: str,
    pooling: Any = None,
    dense: Any = None,
    modules: Any = None,
    **files: Any,
) -> Path:
    """Copy a directory and add the files of sentence-transformers."""
    copied(source, path, **files)
    kinds = kinds or ("Transformer", "Pooling")
    made = [
        {
            "idx": place,
            "name": str(place),
            "path": FOLDERS.get(kind, kind),
            "type": f"sentence_transformers.models.{kind}",
        }
        for place, kind in enumerate(kinds)
    ]
    (path / "modules.json").write_text(json.dumps(made if modules is None else modules))
    (path / "1_Pooling").mkdir()
    said = MEAN if pooling is None else pooling
    (path / "1_Pooling" / "config.json").write_text(json.dumps(said))
    (path / "2_Dense").mkdir()
    said = DENSE if dense is None else dense
    (path / "2_Dense" / "config.json").write_text(json.dumps(said))
    return path


def weights(path: Path, **more: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    made = {"linear.weight": torch.randn(4, 16), "linear.bias": torch.randn(4), **more}
    save_file(made, path / "2_Dense" / "model.safetensors")
    return made


@pytest.mark.parametrize(
    "name", ["sentence_bert_config", "sentence_roberta_config", "sentence_xlnet_config"]
)
def test_texts_are_cut_where_its_transformer_cuts_them(
    plain: Path, tmp_path: Path, name: str
) -> None:
    said = {name: {"max_seq_length": 8, "do_lower_case": False}}
    config = {"tokenizer_config": {**PLAIN, "model_max_length": 6}}
    path = layout(plain, tmp_path / "m", **said, **config)
    (item,) = take(path).signature.inputs
    assert item.max_length == item.transform.max_length == 8
    found = predict(si.save_bundle(tmp_path / "b", path))["embedding"]
    cut = tokenizer()
    cut.enable_truncation(8)
    model = take(path).model.model
    for text, vector in zip(TEXTS, found, strict=False):
        ids = torch.tensor([cut.encode(text).ids])
        expected = model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(0)
        assert np.abs(np.array(vector) - expected.detach().numpy()).max() <= 1e-5


def test_a_limit_does_not_go_beyond_the_places_of_the_model(plain: Path, tmp_path: Path) -> None:
    said = {"max_seq_length": 512}
    (item,) = take(layout(plain, tmp_path / "m", sentence_bert_config=said)).signature.inputs
    assert item.max_length == 24


def test_settings_as_newer_versions_write_them(plain: Path, tmp_path: Path) -> None:
    path = layout(
        plain,
        tmp_path / "m",
        pooling={"embedding_dimension": 16, "pooling_mode": "cls", "include_prompt": True},
        modules=[
            {"idx": 0, "name": "0", "path": "", "type": f"{base}.transformer.Transformer"}
            if place == 0
            else {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{base}.pooling.Pooling"}
            for place, base in enumerate(["sentence_transformers.base.modules"] * 2)
        ],
        sentence_bert_config={
            "transformer_task": "feature-extraction",
            "modality_config": {
                "text": {"method": "forward", "method_output_name": "last_hidden_state"}
            },
            "module_output_name": "token_embeddings",
        },
        config_sentence_transformers={
            "__version__": {"sentence_transformers": "5.4.0"},
            "model_type": "SentenceTransformer",
            "prompts": {"query": "query: ", "document": ""},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )
    taken = take(path)
    assert not taken.model.takes_mean
    assert taken.signature.inputs[0].max_length == 24


def test_a_dense_layer_and_a_length_of_one(plain: Path, tmp_path: Path) -> None:
    kinds = ("Transformer", "Pooling", "Dense", "Normalize")
    path = layout(plain, tmp_path / "m", *kinds)
    made = weights(path)
    found = predict(si.save_bundle(tmp_path / "b", path))["embedding"]
    ask = own(path, "AutoModel")
    for text, vector in zip(TEXTS, found, strict=False):
        mean = ask(text).last_hidden_state[0].mean(0)
        expected = torch.tanh(made["linear.weight"] @ mean + made["linear.bias"])
        expected = (expected / expected.norm()).numpy()
        assert len(vector) == 4
        assert np.abs(np.array(vector) - expected).max() <= 1e-5


def test_the_order_of_modules_is_kept(plain: Path, tmp_path: Path) -> None:
    path = layout(plain, tmp_path / "m", "Transformer", "Pooling", "Normalize", "Dense")
    made = weights(path)
    ids = torch.tensor([[2, 5, 3]])
    taken = take(path)
    mean = taken.model.model(ids).last_hidden_state[0].mean(0)
    expected = torch.tanh(made["linear.weight"] @ (mean / mean.norm()) + made["linear.bias"])
    assert torch.allclose(taken.model(ids, torch.ones_like(ids))[0], expected, atol=1e-6)
    assert taken.signature.outputs[0].shape == (4,)


def test_pooling_by_the_first_token(plain: Path, tmp_path: Path) -> None:
    said = {**OFF, "pooling_mode_cls_token": True}
    path = layout(plain, tmp_path / "m", "Transformer", "Pooling", "Normalize", pooling=said)
    for task in ("embedding", "cls-embedding"):
        module = take(path, task=task).model
        assert not module.takes_mean
        ids = torch.tensor([[2, 5, 3]])
        assert float(module(ids, torch.ones_like(ids)).detach().norm()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({**OFF, "pooling_mode_weightedmean_tokens": True}, "pooling_mode_weightedmean_tokens"),
        ({**OFF, "pooling_mode_mean_sqrt_len_tokens": True}, "pooling_mode_mean_sqrt_len"),
        ({**OFF, "pooling_mode_max_tokens": True}, "pooling_mode_max_tokens"),
        ({**OFF, "pooling_mode_lasttoken": True}, "pooling_mode_lasttoken"),
        ({**MEAN, "pooling_mode_cls_token": True}, "'mean', 'cls'"),
        # The mean is taken where nothing is said of it.
        ({"pooling_mode_cls_token": True}, "'mean', 'cls'"),
        (OFF, "nothing"),
        ({**MEAN, "pooling_mode": "weightedmean"}, "'weightedmean'"),
        ({"pooling_mode": ["mean", "max"]}, "'mean', 'max'"),
        ({"pooling_mode": 5}, "5"),
        ({"pooling_mode": {"mean": 1}}, "mean"),
    ],
)
def test_other_pooling_is_refused(plain: Path, tmp_path: Path, said: Any, names: str) -> None:
    path = layout(plain, tmp_path / "m", pooling=said)
    with pytest.raises(BundleError, match=f"it pools by .*{names}.* is known; save the module"):
        take(path)


def test_a_prompt_is_refused(plain: Path, tmp_path: Path) -> None:
    said: dict[str, Any] = {"prompts": {"query": "the dog ", "none": ""}}
    for name in ("query", "other", 5, ["query"]):
        files = {"config_sentence_transformers": {**said, "default_prompt_name": name}}
        path = layout(plain, tmp_path / f"{name}", **files)
        with pytest.raises(BundleError, match=r"puts the prompt .* before each text; set default"):
            take(path)
    files = {"config_sentence_transformers": {**said, "default_prompt_name": "none"}}
    take(layout(plain, tmp_path / "m", **files))


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        (("Transformer",), "must begin with a Transformer and a Pooling"),
        (("Pooling", "Transformer"), "must begin with a Transformer and a Pooling"),
        (("Transformer", "WordWeights", "Pooling"), "must begin with"),
        (("StaticEmbedding",), "must begin with"),
        (("Transformer", "Pooling", "LSTM"), "has a module LSTM"),
        (("Transformer", "Pooling", "LayerNorm"), "has a module LayerNorm"),
        (("Transformer", "Pooling", "Dense"), "weights are not in model.safetensors"),
    ],
)
def test_other_modules_are_refused(
    plain: Path, tmp_path: Path, kinds: tuple[str, ...], says: str
) -> None:
    with pytest.raises(BundleError, match=says):
        take(layout(plain, tmp_path / "m", *kinds))


@pytest.mark.parametrize(
    "modules",
    [
        {},
        5,
        [],
        ["x", 5],
        [{"type": 5, "path": ""}],
        [{"type": "sentence_transformers.models.Transformer", "path": 5}],
        [{"type": "sentence_transformers.models.Transformer", "path": "", "kwargs": ["task"]}],
        [{"type": "evil.Transformer", "path": ""}],
        [
            {"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
        ],
        [
            {"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "../1_Pooling"},
        ],
        [
            {"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "nowhere"},
        ],
    ],
)
def test_odd_modules_are_refused(plain: Path, tmp_path: Path, modules: Any) -> None:
    with pytest.raises(BundleError) as raised:
        take(layout(plain, tmp_path / "m", modules=modules))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sentence_bert_config", {"max_seq_length": "8"}),
        ("sentence_bert_config", {"max_seq_length": 0}),
        ("sentence_bert_config", {"max_seq_length": True}),
        ("sentence_bert_config", {"max_seq_length": 8.5}),
        ("sentence_bert_config", {"do_lower_case": True}),
        ("sentence_bert_config", {"model_args": {"attn_implementation": "x/y"}}),
        ("sentence_bert_config", {"tokenizer_name_or_path": "someone/other"}),
        ("sentence_bert_config", {"modality_config": {"image": {}}}),
        ("sentence_bert_config", [8]),
        ("config_sentence_transformers", {"model_type": "SparseEncoder"}),
        ("config_sentence_transformers", {"truncate_dim": 8}),
        ("config_sentence_transformers", {"prompts": 5, "default_prompt_name": "x"}),
        ("config_sentence_transformers", 5),
    ],
)
def test_other_settings_are_refused(plain: Path, tmp_path: Path, name: str, said: Any) -> None:
    with pytest.raises(BundleError) as raised:
        take(layout(plain, tmp_path / "m", **{name: said}))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "dense",
    [
        5,
        {**DENSE, "in_features": "16"},
        {**DENSE, "out_features": 0},
        {**DENSE, "bias": "yes"},
        {**DENSE, "bias": False},
        {**DENSE, "out_features": 5},
        {**DENSE, "activation_function": "os.system"},
        {**DENSE, "activation_function": 5},
        {**DENSE, "module_input_name": "token_embeddings"},
        {**DENSE, "use_residual": True},
    ],
)
def test_other_dense_layers_are_refused(plain: Path, tmp_path: Path, dense: Any) -> None:
    path = layout(plain, tmp_path / "m", "Transformer", "Pooling", "Dense", dense=dense)
    weights(path)
    with pytest.raises(BundleError) as raised:
        take(path)
    assert "\n" not in str(raised.value)


def test_weights_that_are_no_safetensors(plain: Path, tmp_path: Path) -> None:
    path = layout(plain, tmp_path / "m", "Transformer", "Pooling", "Dense")
    (path / "2_Dense" / "model.safetensors").write_bytes(b"\x80\x04.")
    with pytest.raises(BundleError, match="weights do not fit its config"):
        take(path)


def test_a_pooling_that_nothing_names_is_refused(plain: Path, tmp_path: Path) -> None:
    path = layout(plain, tmp_path / "m")
    (path / "modules.json").unlink()
    with pytest.raises(BundleError, match=r"holds 1_Pooling/config\.json .* no modules\.json"):
        take(path)
    path = copied(plain, tmp_path / "n", sentence_bert_config={"max_seq_length": 8})
    with pytest.raises(BundleError, match="holds sentence_bert_config"):
        take(path)


def test_a_task_that_pools_otherwise_is_refused(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="takes the first token, and sentence-transformers pools"):
        take(layout(plain, tmp_path / "m"), task="cls-embedding")


@pytest.mark.parametrize(
    ("name", "more"), [("1_Pooling/config.json", []), ("2_Dense/config.json", ["Dense"])]
)
def test_settings_that_are_no_plain_file(
    plain: Path, tmp_path: Path, name: str, more: list[str]
) -> None:
    path = layout(plain, tmp_path / "m", "Transformer", "Pooling", *more, dense=DENSE)
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(BundleError, match=f"{name} cannot be read: it is no plain file"):
        take(path, task="embedding")
