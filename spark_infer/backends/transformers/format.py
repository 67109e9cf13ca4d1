"""Directories of Hugging Face as exported programs that take text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers
from torch import nn

from spark_infer.backends.formats import Said, Taken
from spark_infer.backends.torch.program.format import ExportFormat
from spark_infer.backends.transformers.directory import Directory
from spark_infer.backends.transformers.tasks import (
    TASKS,
    Classification,
    Embedding,
    classification,
    classification_outputs,
)
from spark_infer.bundle import Mask, Output, RaggedInput, Signature, Tokenize
from spark_infer.errors import BundleError, SignatureError, nearest, some

IDS = "input_ids"
_DEFAULT_COLUMN = "text"
_NEEDLESS = ("pooler.", "position_ids")
"""Weights that may be missing: what they make is not looked at."""


class TransformersFormat(ExportFormat):
    """Stores the program of a model, and its tokenizer as the transform of a column of text."""

    hint = (
        "the traced program keeps one way through the model's code, and this model takes another "
        "for other lengths; export it to ONNX (optimum-cli export onnx) and save that"
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
        loaded = _load(directory, task)
        item = RaggedInput(
            IDS,
            column=columns[0],
            dtype="int64",
            transform=Tokenize(document=directory.tokenizer, max_length=directory.max_length),
            max_length=directory.max_length,
            pad_value=directory.pad_id,
            mask=Mask(tensor="attention_mask", dtype="int64"),
        )
        module, outputs = _made(loaded, directory, task)
        return Taken(module.eval(), Signature(inputs=[item], outputs=outputs))


def _task_of(directory: Directory) -> str:
    named = [str(name) for name in directory.config.get("architectures") or ()]
    for task, known in TASKS.items():
        if any(name.endswith(known.architecture) for name in named):
            return task
    raise BundleError(
        f"{directory.path}: what its model ({', '.join(named) or 'unknown'}) is for is not said; "
        f"pass task=, one of {list(TASKS)}"
    )


def _load(directory: Directory, task: str) -> Any:
    """Return the model of a directory with all of its weights."""
    loader = getattr(transformers, TASKS[task].loader)
    try:
        with _quiet():
            model, report = loader.from_pretrained(
                directory.path,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="float32",
                output_loading_info=True,
            )
    except Exception as error:
        # It raises what it likes.
        raise BundleError(
            f"{directory.path}: transformers {transformers.__version__} does not load it "
            f"({str(error).strip().splitlines()[0]})"
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


def _made(model: Any, directory: Directory, task: str) -> tuple[nn.Module, list[Output]]:
    """Return the module of a task, and its outputs."""
    labels = directory.labels or [f"LABEL_{place}" for place in range(2)]
    problem = directory.config.get("problem_type")
    if task == "classification":
        return classification(model, labels, problem), classification_outputs(labels, problem)
    if task == "token-classification":
        output = Output("labels", labels=labels, lengths_of=IDS)
        return Classification(model, activation="softmax", outputs=1), [output]
    pooling = "cls" if task == "cls-embedding" else directory.pooling()
    module = Embedding(model, pooling=pooling, normalizes=directory.normalizes())
    return module, [Output("embedding", shape=[int(model.config.hidden_size)])]


FORMAT = TransformersFormat()
