"""A directory of Hugging Face: what may be in it, and what it says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_infer.errors import BundleError

_MAX_BYTES = 2**28
_PICKLES = ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack")
_FAST = (
    "transformers.AutoTokenizer.from_pretrained(directory).save_pretrained(directory) writes it "
    "where the tokenizer has a fast form"
)


@dataclass(frozen=True)
class Directory:
    """What a directory says of its model.

    Attributes:
        path: The directory.
        config: ``config.json``.
        tokenizer: ``tokenizer.json``, as text.
        tokenizer_config: ``tokenizer_config.json``; empty where there is none.
    """

    path: Path
    config: dict[str, Any]
    tokenizer: str
    tokenizer_config: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Directory:
        """Read a directory; no code of it is run, and nothing is fetched.

        Raises:
            BundleError: A file is missing, holds code or is a pickle; the message says what to do.
        """
        config = _json(path / "config.json")
        said = _json(path / "tokenizer_config.json") if _has(path, "tokenizer_config.json") else {}
        for name, document in (("config.json", config), ("tokenizer_config.json", said)):
            if document.get("auto_map"):
                raise BundleError(
                    f"{path}: {name} names code of its own (auto_map), which is never run; use a "
                    "model whose class is in transformers, or save the module yourself with "
                    "format='module'"
                )
        if not any(path.glob("*.safetensors")):
            pickle = next((name for name in _PICKLES if _has(path, name)), None)
            held = f"its weights are in {pickle}, a format" if pickle else "it holds no weights"
            raise BundleError(
                f"{path}: {held} that is not read here; only safetensors are: load it where you "
                "trust it and call model.save_pretrained(directory)"
            )
        if not _has(path, "tokenizer.json"):
            raise BundleError(
                f"{path}: there is no tokenizer.json, without which text is no tokens; {_FAST}"
            )
        _json(path / "tokenizer.json")
        text = (path / "tokenizer.json").read_text(encoding="utf-8")
        return cls(path, config, text, said)

    @property
    def max_length(self) -> int | None:
        """The most tokens that the model takes; None where nothing says."""
        known = []
        places = self.config.get("max_position_embeddings")
        if isinstance(places, int) and places > 0:
            # Models of this family number places from behind the id of padding.
            model = str(self.config.get("model_type", ""))
            is_shifted = "roberta" in model or model in ("camembert", "mpnet", "xmod", "esm")
            known.append(places - (self.pad_id + 1 if is_shifted else 0))
        told = self.tokenizer_config.get("model_max_length")
        if isinstance(told, int) and 0 < told < 2**31:
            known.append(told)
        return min(known, default=None)

    @property
    def pad_id(self) -> int:
        """The id of padding."""
        found = self.config.get("pad_token_id")
        return found if isinstance(found, int) and found >= 0 else 0

    @property
    def labels(self) -> list[str]:
        """Names of the classes, in order."""
        by_id = self.config.get("id2label") or {}
        return [str(by_id[key]) for key in sorted(by_id, key=int)]

    def pooling(self) -> str:
        """Return how sentence-transformers pools this model: ``mean``, ``cls``, or mean at that.

        Raises:
            BundleError: Otherwise.
        """
        if not _has(self.path, "1_Pooling/config.json"):
            return "mean"
        said = _json(self.path / "1_Pooling" / "config.json")
        modes = [name for name, is_on in said.items() if is_on is True and "mode" in name]
        modes = [said["pooling_mode"]] if isinstance(said.get("pooling_mode"), str) else modes
        for mode in ("mean", "cls"):
            if len(modes) == 1 and mode in modes[0] and "sqrt" not in modes[0]:
                return mode
        raise BundleError(
            f"{self.path}: it pools by {', '.join(map(str, modes))}, and mean and cls are known; "
            "save the module yourself"
        )

    def normalizes(self) -> bool:
        """Return whether sentence-transformers scales its embeddings to length 1."""
        if not _has(self.path, "modules.json"):
            return False
        modules = _json(self.path / "modules.json", kind=list)
        return any("Normalize" in str(module.get("type")) for module in modules)


def _has(path: Path, name: str) -> bool:
    return (path / name).is_file()


def _json(path: Path, kind: type = dict) -> Any:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BundleError(f"{path} has more than {_MAX_BYTES:,} bytes")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is no JSON ({error})") from None
    if not isinstance(found, kind):
        raise BundleError(f"{path} must hold a JSON {'object' if kind is dict else 'list'}")
    return found
