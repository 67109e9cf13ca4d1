"""A directory of Hugging Face: what may be in it, and what it says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_infer.backends.transformers.doors import check_keys
from spark_infer.bundle.documents import shown
from spark_infer.bundle.files.given import read_given
from spark_infer.errors import BundleError

_MAX_BYTES = 2**28
_INDEX = "model.safetensors.index.json"
_PICKLES = ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack")
_FAST = (
    "transformers.AutoTokenizer.from_pretrained(directory).save_pretrained(directory) writes it "
    "where the tokenizer has a fast form"
)
_ADAPTER = "adapter_config.json"


@dataclass(frozen=True)
class Directory:
    """What a directory says of its model.

    Attributes:
        path: The directory.
        config: ``config.json``.
        tokenizer: ``tokenizer.json``, as text.
    """

    path: Path
    config: dict[str, Any]
    tokenizer: str

    @classmethod
    def read(cls, path: Path) -> Directory:
        """Read a directory; no code of it is run, and nothing is fetched.

        Raises:
            BundleError: A file is missing, names code or is a pickle; the message says what to do.
        """
        _check_files(path)
        config = read_json(path / "config.json")
        check_keys(config, path / "config.json")
        if has(path, "tokenizer_config.json"):
            said = read_json(path / "tokenizer_config.json")
            check_keys(said, path / "tokenizer_config.json")
        if has(path, _ADAPTER):
            raise BundleError(
                f"{path}: it holds an adapter ({_ADAPTER}), whose base model may lie elsewhere; "
                "merge it where you trust it, model.merge_and_unload().save_pretrained(...), and "
                "save the directory that this writes"
            )
        if not any(path.glob("*.safetensors")):
            pickle = next((name for name in _PICKLES if has(path, name)), None)
            held = f"its weights are in {pickle}, a format" if pickle else "it holds no weights"
            raise BundleError(
                f"{path}: {held} that is not read here; only safetensors are: load it where you "
                "trust it and call model.save_pretrained(directory)"
            )
        if has(path, _INDEX):
            _check_shards(path)
        if not has(path, "tokenizer.json"):
            raise BundleError(
                f"{path}: there is no tokenizer.json, without which text is no tokens; {_FAST}"
            )
        text = _read(path / "tokenizer.json")
        _parsed(path / "tokenizer.json", text, dict)
        return cls(path, config, text)

    @property
    def architectures(self) -> list[str]:
        """Names of the model's classes."""
        named = self.config.get("architectures") or []
        if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
            raise BundleError(
                f"{self.path}: architectures in config.json must be a list of names of classes, "
                f"got {shown(named)}; correct it, or remove it and pass task="
            )
        return named


def has(path: Path, name: str) -> bool:
    """Return whether a directory holds a file."""
    return (path / name).is_file()


def read_json(path: Path, kind: type = dict) -> Any:
    """Read a file of JSON.

    Raises:
        BundleError: It cannot be read, is no JSON, or holds something else than ``kind``.
    """
    return _parsed(path, _read(path), kind)


def _read(path: Path) -> str:
    try:
        return read_given(path, _MAX_BYTES).decode("utf-8")
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BundleError(f"{path} is no JSON ({error})") from None


def _parsed(path: Path, text: str, kind: type) -> Any:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is no JSON ({error})") from None
    if not isinstance(found, kind):
        raise BundleError(f"{path} must hold a JSON {'object' if kind is dict else 'list'}")
    return found


def _check_files(path: Path) -> None:
    """Raise BundleError for what is neither file nor folder: who reads it may wait forever."""
    for file in sorted(path.iterdir()):
        if file.exists() and not file.is_file() and not file.is_dir():
            raise BundleError(f"{file} is no plain file; copy the file instead, or remove it")


def _check_shards(path: Path) -> None:
    """Raise BundleError unless all parts of the weights are safetensors of the directory."""
    files = read_json(path / _INDEX).get("weight_map")
    for file in files.values() if isinstance(files, dict) else [files]:
        is_plain = isinstance(file, str) and Path(file).name == file
        if not is_plain or not file.endswith(".safetensors"):
            raise BundleError(
                f"{path / _INDEX}: weight_map must name files of safetensors beside it, got "
                f"{shown(file)}; load the model where you trust it and call "
                "model.save_pretrained(directory)"
            )
