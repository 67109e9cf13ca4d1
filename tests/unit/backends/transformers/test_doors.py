"""A directory names no code that would run or be fetched, and odd files of it are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from spark_infer.backends.transformers.doors import check_keys
from spark_infer.errors import BundleError
from tests.unit.backends.transformers.test_format import (
    PLAIN,
    changed,
    copied,
    directory,
    take,
)

KERNEL = "kernels-community/flash-attn"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return directory(tmp_path_factory.mktemp("m"), "BertForSequenceClassification")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"_attn_implementation": KERNEL}, "native code"),
        ({"attn_implementation": KERNEL}, "native code"),
        ({"attn_implementation": "paged|" + KERNEL}, "native code"),
        ({"attn_implementation": "flash_attention_2"}, "native code"),
        ({"_attn_implementation_internal": KERNEL}, "native code"),
        ({"attn_implementation": {"": "sdpa", "text_config": KERNEL}}, "native code"),
        ({"attn_implementation": ["sdpa"]}, "native code"),
        ({"text_config": {"_attn_implementation": KERNEL}}, "native code"),
        ({"parts": [{"experts_implementation": "deepgemm"}]}, "native code"),
        ({"use_kernels": True}, "native code"),
        ({"kernel_config": {"kernel_mapping": {}}}, "native code"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "code of its own"),
        ({"text_config": {"auto_map": {"AutoModel": "x.Y"}}}, "code of its own"),
        ({"custom_pipelines": {"mine": {"impl": "x.Y"}}}, "code of its own"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantized"),
        ({"compression_config": {"format": "x"}}, "quantized"),
        ({"transformers_weights": "other.safetensors"}, "another place"),
        ({"backbone": "someone/model", "use_pretrained_backbone": True}, "another place"),
    ],
)
def test_a_key_that_names_code_is_refused(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any, says: str
) -> None:
    monkeypatch.setattr(transformers.integrations.hub_kernels, "get_kernel", _fetched)
    path = copied(classifier, tmp_path / "m", config=changed(classifier, **said))
    with pytest.raises(BundleError, match=says) as raised:
        take(path)
    assert "\n" not in str(raised.value)


def _fetched(*_: object, **__: object) -> None:
    raise SystemExit("code was fetched")


@pytest.mark.parametrize(
    "said",
    [
        {"_attn_implementation": None, "quantization_config": None, "auto_map": {}},
        {"attn_implementation": "eager"},
        {"_attn_implementation_autoset": True, "label2id": {"backbone": 1}},
        {"attn_implementation": {"": "sdpa", "text_config": None}},
    ],
)
def test_a_key_that_names_none_is_not(said: Any) -> None:
    check_keys(said, Path("m/config.json"))


def test_no_class_fetches_native_code_while_it_is_loaded(
    classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = transformers.integrations.hub_kernels
    monkeypatch.setattr(kernels, "get_kernel", _fetched)
    made = transformers.BertForSequenceClassification.__init__
    raised = []

    def fetches(self: Any, config: Any) -> None:
        try:
            kernels.get_kernel("kernels-community/yoso")
        except ImportError as error:
            raised.append(str(error))
        made(self, config)

    monkeypatch.setattr(transformers.BertForSequenceClassification, "__init__", fetches)
    take(classifier)
    assert raised == ["native code is not fetched (kernels-community/yoso)"]
    assert kernels.get_kernel is _fetched


def test_an_adapter_is_refused(classifier: Path, tmp_path: Path) -> None:
    said = {"base_model_name_or_path": "someone/model", "peft_type": "LORA"}
    path = copied(classifier, tmp_path / "m", adapter_config=said)
    with pytest.raises(BundleError, match="it holds an adapter"):
        take(path)


@pytest.mark.parametrize("file", ["../x.safetensors", "x.bin", 5, "/tmp/x.safetensors"])
def test_parts_of_weights_lie_in_the_directory(
    classifier: Path, tmp_path: Path, file: object
) -> None:
    index = {"model.safetensors.index": {"weight_map": {"a": file}}}
    path = copied(classifier, tmp_path / "m", **index)
    with pytest.raises(BundleError, match="weight_map must name files of safetensors beside it"):
        take(path)


@pytest.mark.parametrize(
    "said",
    [
        {"architectures": 5},
        {"architectures": [5]},
        {"architectures": {"a": 1}},
        {"architectures": "BertForSequenceClassification"},
        {"model_type": 7},
        {"model_type": ["bert"]},
        {"hidden_size": "x"},
        {"hidden_size": None},
        {"id2label": {"a": "x"}},
        {"id2label": {"1": "x", "7": "y"}},
        {"id2label": ["x", "y"]},
        {"id2label": 3},
        {"problem_type": 5},
        {"problem_type": "guessing"},
        {"pad_token_id": "x"},
        {"max_position_embeddings": "many"},
        {"auto_map": 5},
    ],
)
def test_odd_types_in_a_configuration(classifier: Path, tmp_path: Path, said: Any) -> None:
    path = copied(classifier, tmp_path / "m", config=changed(classifier, **said))
    with pytest.raises(BundleError) as raised:
        take(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "said",
    [
        {"tokenizer_class": 5},
        {"tokenizer_class": ["x"]},
        {"model_max_length": "x"},
        {"truncation_side": 5},
        {"truncation_side": "middle"},
        {"added_tokens_decoder": 5},
        {"added_tokens_decoder": {"x": "y"}},
        {"cls_token": 5},
    ],
)
def test_odd_types_in_a_tokenizers_configuration(
    classifier: Path, tmp_path: Path, said: Any
) -> None:
    path = copied(classifier, tmp_path / "m", tokenizer_config={**PLAIN, **said})
    with pytest.raises(BundleError) as raised:
        take(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer.json", "generation_config.json", "vocab.txt", "x.safetensors"],
)
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_plain_file_is_not_read(
    classifier: Path, tmp_path: Path, name: str, make: Callable[[Path], Any]
) -> None:
    path = copied(classifier, tmp_path / "m")
    (path / name).unlink(missing_ok=True)
    make(path / name)
    with pytest.raises(BundleError, match=f"{name} is no plain file; copy the file"):
        take(path)


def test_links_to_files_are_followed(classifier: Path, tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    path.mkdir()
    for file in classifier.iterdir():
        (path / file.name).symlink_to(file)
    assert take(path).signature == take(classifier).signature
