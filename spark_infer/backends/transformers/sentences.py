"""What sentence-transformers adds to a directory: its modules, their settings and prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from spark_infer.backends.transformers.directory import has, read_json
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError

_YOURSELF = "save the module yourself with format='module'"
_TRANSFORMER = (
    *("sentence_bert_config.json", "sentence_roberta_config.json"),
    *("sentence_distilbert_config.json", "sentence_camembert_config.json"),
    *("sentence_albert_config.json", "sentence_xlm-roberta_config.json"),
    "sentence_xlnet_config.json",
)
"""Where its Transformer keeps its settings; older ones are called after their model."""
_TEXT = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
_ANY: Any = ...
_SETTINGS: Mapping[str, Any] = {
    "max_seq_length": _ANY,
    "do_lower_case": False,
    "transformer_task": "feature-extraction",
    "modality_config": _TEXT,
    "module_output_name": "token_embeddings",
    "unpad_inputs": False,
}
"""What is followed of its Transformer's settings."""
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "torch.nn.modules.linear.Identity": nn.Identity,
    "torch.nn.modules.activation.Tanh": nn.Tanh,
    "torch.nn.modules.activation.ReLU": nn.ReLU,
    "torch.nn.modules.activation.GELU": nn.GELU,
    "torch.nn.modules.activation.Sigmoid": nn.Sigmoid,
}
_MODE = "pooling_mode_"
_MODES = {"mean_tokens": "mean", "cls_token": "cls"}


class Normalize(nn.Module):
    """Scales vectors to length 1."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors of the same shape, (rows, size)."""
        return nn.functional.normalize(vectors, dim=1)


@dataclass(frozen=True)
class Sentences:
    """How sentence-transformers makes one vector of a text.

    Attributes:
        pooling: ``mean`` of the real tokens, or ``cls``, the first.
        max_length: The most tokens of a text; None where its files do not say.
        after: What is done with the vector then.
        size: How many numbers come out; None where they are as many as the model's.
    """

    pooling: str = "mean"
    max_length: int | None = None
    after: tuple[nn.Module, ...] = ()
    size: int | None = None

    @classmethod
    def read(cls, path: Path) -> Sentences | None:
        """Read the files of a directory; None where it has none of sentence-transformers.

        Raises:
            BundleError: They say something that is not followed here.
        """
        if not has(path, "modules.json"):
            odd = (*_TRANSFORMER, "1_Pooling/config.json", "config_sentence_transformers.json")
            if found := next((name for name in odd if has(path, name)), None):
                raise BundleError(
                    f"{path}: it holds {found} of sentence-transformers, and no modules.json that "
                    f"says how that is used; add modules.json, or remove {found}"
                )
            return None
        _check_prompts(path)
        kinds, folders = _modules(path)
        if kinds[:2] != ["Transformer", "Pooling"]:
            raise BundleError(
                f"{path}: modules.json must begin with a Transformer and a Pooling, and its "
                f"modules are {kinds}; {_YOURSELF}"
            )
        if folders[0] not in ("", "."):
            raise BundleError(
                f"{path}: by modules.json its transformer lies in {folders[0]!r}; only one that "
                "lies in the directory itself is read: load the model in sentence-transformers and "
                "call model.save(directory)"
            )
        after: list[nn.Module] = []
        size = None
        for kind, folder in zip(kinds[2:], folders[2:], strict=True):
            if kind == "Normalize":
                after.append(Normalize())
            elif kind == "Dense":
                linear, activation = _dense(path / folder)
                after += [linear, activation]
                size = linear.out_features
            else:
                raise BundleError(
                    f"{path}: modules.json has a module {kind} after the first two, and Dense and "
                    f"Normalize are known; {_YOURSELF}"
                )
        return cls(_pooling(path / folders[1] / "config.json"), _limit(path), tuple(after), size)


def _modules(path: Path) -> tuple[list[str], list[str]]:
    """Return the names of the modules' classes, and their folders."""
    kinds, folders = [], []
    for module in read_json(path / "modules.json", kind=list):
        kind = module.get("type") if isinstance(module, dict) else None
        folder = module.get("path", "") if isinstance(module, dict) else None
        if not isinstance(kind, str) or not isinstance(folder, str):
            raise BundleError(
                f"{path / 'modules.json'}: a module must have a type and a path, got "
                f"{shown(module)}"
            )
        _check_known(
            module, path / "modules.json", dict.fromkeys(("idx", "name", "path", "type"), _ANY)
        )
        if not kind.startswith("sentence_transformers."):
            raise BundleError(
                f"{path}: modules.json names code of its own ({shown(kind)}), which is never run; "
                f"{_YOURSELF}"
            )
        if ".." in Path(folder).parts or Path(folder).is_absolute():
            raise BundleError(
                f"{path}: modules.json names the folder {folder!r}, which is not of the directory"
            )
        kinds.append(kind.rpartition(".")[2])
        folders.append(folder)
    return kinds, folders


def _limit(path: Path) -> int | None:
    """Return the most tokens that the Transformer takes of a text."""
    name = next((name for name in _TRANSFORMER if has(path, name)), None)
    if name is None:
        return None
    said = read_json(path / name)
    _check_known(said, path / name, _SETTINGS)
    limit = said.get("max_seq_length")
    if limit is None:
        return None
    if not _is_count(limit):
        raise BundleError(
            f"{path / name}: max_seq_length must be a whole number of at least 1, got "
            f"{shown(limit)}"
        )
    return int(limit)


def _pooling(path: Path) -> str:
    """Return how a Pooling makes one vector of many."""
    said = read_json(path)
    # As the class itself: the mean is taken where nothing is said of it.
    modes = {_MODE + "mean_tokens": True} | {k: v for k, v in said.items() if k.startswith(_MODE)}
    rest = {key: value for key, value in said.items() if key not in modes}
    free = ("word_embedding_dimension", "embedding_dimension", "include_prompt", "pooling_mode")
    _check_known(rest, path, dict.fromkeys(free, _ANY))
    named = said.get("pooling_mode")
    if named is not None:
        found = named if isinstance(named, list) else [named]
    else:
        found = [_MODES.get(key.removeprefix(_MODE), key) for key, on in modes.items() if on]
    if len(found) == 1 and found[0] in ("mean", "cls"):
        return str(found[0])
    names = ", ".join(shown(mode) for mode in found) or "nothing"
    raise BundleError(
        f"{path.parent.parent}: it pools by {names}, and either the mean of the tokens or the "
        f"first one (cls) is known; {_YOURSELF}"
    )


def _dense(folder: Path) -> tuple[nn.Linear, nn.Module]:
    """Return the layer of a Dense with its weights, and its activation."""
    path = folder / "config.json"
    said = read_json(path)
    free = ("in_features", "out_features", "bias", "activation_function")
    places = dict.fromkeys(("module_input_name", "module_output_name"), "sentence_embedding")
    _check_known(said, path, {**dict.fromkeys(free, _ANY), **places})
    sizes = (said.get("in_features"), said.get("out_features"))
    bias = said.get("bias", True)
    name = said.get("activation_function", "torch.nn.modules.activation.Tanh")
    if not all(map(_is_count, sizes)) or not isinstance(bias, bool):
        raise BundleError(
            f"{path}: in_features and out_features must be whole numbers of at least 1 and bias "
            f"true or false, got {shown([*sizes, bias])}"
        )
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise BundleError(
            f"{path}: activation_function {shown(name)} is not known, only "
            f"{sorted(_ACTIVATIONS)}; {_YOURSELF}"
        )
    if not has(folder, "model.safetensors"):
        raise BundleError(
            f"{folder}: its weights are not in model.safetensors, and no pickle is read; load the "
            "model in sentence-transformers where you trust it and call model.save(directory)"
        )
    linear = nn.Linear(int(sizes[0]), int(sizes[1]), bias=bias)
    try:
        weights = load_file(folder / "model.safetensors")
        linear.load_state_dict({k.removeprefix("linear."): v.float() for k, v in weights.items()})
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise BundleError(f"{folder}: its weights do not fit its config.json ({reason})") from None
    return linear, _ACTIVATIONS[name]()


def _check_prompts(path: Path) -> None:
    """Raise BundleError where texts would get words that are not in the column."""
    name = "config_sentence_transformers.json"
    if not has(path, name):
        return
    said = read_json(path / name)
    free = ("__version__", "prompts", "default_prompt_name", "similarity_fn_name")
    known = {**dict.fromkeys(free, _ANY), "model_type": "SentenceTransformer"}
    _check_known(said, path / name, known)
    prompts, default = said.get("prompts") or {}, said.get("default_prompt_name")
    if default is None:
        return
    is_named = isinstance(prompts, dict) and isinstance(default, str)
    prompt = prompts.get(default) if is_named else None
    if prompt != "":
        raise BundleError(
            f"{path}: {name} puts the prompt {shown(default)} ({shown(prompt)}) before each text; "
            "set default_prompt_name to null and write it in the column that you score, "
            "concat('...', text)"
        )


def _check_known(said: Mapping[str, Any], path: Path, known: Mapping[str, Any]) -> None:
    """Raise BundleError for a setting that is not known, or not with this value."""
    for key, value in said.items():
        expected = known.get(key)
        # What is empty or null says nothing.
        if expected is _ANY or value is None or value == {} or value == [] or value == expected:
            continue
        what = f"only {shown(expected)} is" if key in known else "that setting is not"
        raise BundleError(f"{path}: {key} is {shown(value)}, and {what} followed; {_YOURSELF}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
