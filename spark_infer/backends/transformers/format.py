"""Directories of Hugging Face as exported programs that take text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers
from torch import nn

from spark_infer.backends.failures.fault import sentence
from spark_infer.backends.formats import Said, Taken
from spark_infer.backends.module_path import MODULE_FORMAT
from spark_infer.backends.torch.program.format import ExportFormat
from spark_infer.backends.transformers import tokenizer
from spark_infer.backends.transformers.directory import Directory
from spark_infer.backends.transformers.sentences import Sentences
from spark_infer.backends.transformers.tasks import (
    PROBLEMS,
    TASKS,
    Classification,
    Embedding,
    classification,
    classification_outputs,
)
from spark_infer.bundle import Mask, Output, RaggedInput, Signature
from spark_infer.bundle.documents import shown
from spark_infer.errors import BundleError, SignatureError, nearest, some

IDS = "input_ids"
_DEFAULT_COLUMN = "text"
_NEEDLESS = ("pooler.", "position_ids")
"""Weights that may be missing: what they make is not looked at."""


class TransformersFormat(ExportFormat):
    """Stores the program of a model, and its tokenizer as the transform of a column of text."""

    hint = (
        "the traced program keeps one way through the model's code, and this model takes another "
        f"for other lengths; put it into a class of your own, and {MODULE_FORMAT}"
    )

    def take(self, model: Any, said: Said) -> Taken:
        """Load the model, and read the signature from its configuration."""
        if said.signature is not None or said.inputs is not None:
            raise BundleError(
                "of a Hugging Face directory say the task and the column of text (columns=['text'])"
                ", and no signature or inputs; they are read from its config"
            )
        directory = Directory.read(Path(model))
        task = said.task or _task_of(directory)
        if task not in TASKS:
            raise BundleError(f"task {task!r} is unknown{nearest(task, TASKS)}; use {list(TASKS)}")
        columns = [_DEFAULT_COLUMN] if said.columns is None else list(said.columns)
        if len(columns) != 1 or not isinstance(columns[0], str):
            raise SignatureError(f"a transformer reads one column of text, got {columns}")
        sentences = _sentences(directory, task)
        loaded = _load(directory, task)
        theirs = tokenizer.load(directory)
        limit = _limit(directory, loaded, theirs, sentences)
        item = RaggedInput(
            IDS,
            column=columns[0],
            dtype="int64",
            transform=tokenizer.transform(directory, theirs, limit),
            max_length=limit,
            pad_value=_pad_id(loaded.config),
            mask=Mask(tensor="attention_mask", dtype="int64"),
        )
        module, outputs = _made(loaded, directory, task, sentences)
        return Taken(module.eval(), Signature(inputs=[item], outputs=outputs))


def _task_of(directory: Directory) -> str:
    named = directory.architectures
    for task, known in TASKS.items():
        if any(name.endswith(known.architecture) for name in named):
            return task
    raise BundleError(
        f"{directory.path}: what its model ({', '.join(named) or 'unknown'}) is for is not said; "
        f"pass task=, one of {list(TASKS)}"
    )


def _sentences(directory: Directory, task: str) -> Sentences:
    """Return how sentence-transformers makes the vectors; of other tasks it says nothing."""
    if task not in ("embedding", "cls-embedding"):
        return Sentences()
    pooling = "mean" if task == "embedding" else "cls"
    said = Sentences.read(directory.path)
    if said is not None and task != "embedding" and said.pooling != pooling:
        raise BundleError(
            f"{directory.path}: task={task!r} takes the first token, and sentence-transformers "
            f"pools this model by {said.pooling}; task='embedding' gives that, or save a copy "
            "without its files (modules.json and what it names)"
        )
    return said or Sentences(pooling)


def _load(directory: Directory, task: str) -> Any:
    """Return the model of a directory with all of its weights."""
    loader = getattr(transformers, TASKS[task].loader)
    fixed = {"local_files_only": True, "trust_remote_code": False}
    try:
        with _quiet(), _no_native_code():
            config = transformers.AutoConfig.from_pretrained(directory.path, **fixed)
            model, report = loader.from_pretrained(
                directory.path,
                config=config,
                # None is what torch has; a name might be that of code to fetch.
                attn_implementation=None,
                experts_implementation=None,
                use_safetensors=True,
                dtype="float32",
                output_loading_info=True,
                **fixed,
            )
    except Exception as error:
        # It raises what it likes.
        raise BundleError(
            f"{directory.path}: transformers {transformers.__version__} does not load it "
            f"({sentence(error)})"
        ) from None
    missing = [
        name for name in sorted(report["missing_keys"]) if not any(n in name for n in _NEEDLESS)
    ]
    missing += [str(key[0]) for key in report.get("mismatched_keys") or ()]
    if missing:
        raise BundleError(
            f"{directory.path}: there are no weights for {some(missing)}, which would be random; "
            f"the model was trained for something else than task={task!r}"
        )
    model.config.use_cache = False
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Let transformers tell nothing: what is missing is looked at here."""
    said = transformers.utils.logging
    level, has_bar = said.get_verbosity(), said.is_progress_bar_enabled()
    said.set_verbosity(logging.ERROR)
    said.disable_progress_bar()
    try:
        yield
    finally:
        said.set_verbosity(level)
        if has_bar:
            said.enable_progress_bar()


@contextmanager
def _no_native_code() -> Iterator[None]:
    """Let no class of a model fetch native code for its operations, as a few do by themselves."""
    kernels: Any = transformers.integrations.hub_kernels
    found = kernels.get_kernel

    def refuse(name: str, *_: object, **__: object) -> Any:
        raise ImportError(f"native code is not fetched ({name})")

    kernels.get_kernel = refuse
    try:
        yield
    finally:
        kernels.get_kernel = found


def _limit(directory: Directory, model: Any, theirs: Any, sentences: Sentences) -> int | None:
    """Return the most tokens that the model takes; None where nothing says."""
    told = sentences.max_length or tokenizer.most_tokens(directory.path, theirs)
    known = [] if told is None else [told]
    places = getattr(model.config, "max_position_embeddings", None)
    if isinstance(places, int) and places > 0:
        known.append(places - _first_place(model))
    return min(known, default=None)


def _first_place(model: Any) -> int:
    """Return the number of the first place: models like RoBERTa count from behind the padding's."""
    for name, part in model.named_modules():
        if name.endswith("position_embeddings"):
            padding = getattr(part, "padding_idx", None)
            return 0 if padding is None else int(padding) + 1
    return 0


def _pad_id(config: Any) -> int:
    found = getattr(config, "pad_token_id", None)
    return found if isinstance(found, int) and found >= 0 else 0


def _labels(config: Any, path: Path) -> list[str]:
    """Return names of the classes, in order."""
    by_id = config.id2label
    if not isinstance(by_id, dict) or sorted(by_id, key=str) != sorted(range(len(by_id)), key=str):
        raise BundleError(
            f"{path}: id2label in config.json must name the classes 0, 1, 2, ..., got "
            f"{shown(by_id)}"
        )
    return [str(by_id[place]) for place in range(len(by_id))]


def _made(
    model: Any, directory: Directory, task: str, sentences: Sentences
) -> tuple[nn.Module, list[Output]]:
    """Return the module of a task, and its outputs."""
    if task in ("embedding", "cls-embedding"):
        size = sentences.size or int(model.config.hidden_size)
        module = Embedding(model, pooling=sentences.pooling, after=sentences.after)
        return module, [Output("embedding", shape=[size])]
    labels = _labels(model.config, directory.path)
    if task == "token-classification":
        output = Output("labels", labels=labels, lengths_of=IDS)
        return Classification(model, activation="softmax", outputs=1), [output]
    problem = model.config.problem_type
    if problem not in PROBLEMS:
        raise BundleError(
            f"{directory.path}: problem_type in config.json is {shown(problem)}, which is unknown; "
            f"use one of {list(PROBLEMS)}"
        )
    return classification(model, labels, problem), classification_outputs(labels, problem)


FORMAT = TransformersFormat()
