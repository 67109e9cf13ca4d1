"""Loaded models of this process, kept by digest across tasks and queries."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spark_infer.backends import ModelOptions, load_backend
from spark_infer.bundle import Bundle
from spark_infer.bundle.cache.directory import cache_directory
from spark_infer.engine.proof.checks.kept import try_bundle
from spark_infer.engine.repeats import PredictionCache
from spark_infer.model import LocalModel
from spark_infer.model.sizing import BatchSizer
from spark_infer.runtime.learned import LearnedSizes

CAPACITY = 4
"""Most models that one process keeps; the least recently used one goes first."""


@dataclass(frozen=True)
class LoadedModel:
    """A bundle and its model in memory, and what its predictors share.

    Attributes:
        bundle: The bundle on this machine's disk.
        model: Its model, with what earlier processes of this machine learned of batch sizes.
        cache: Predictions of earlier rows; the predictors' options say how much it may hold.
    """

    bundle: Bundle
    model: LocalModel
    cache: PredictionCache


_Key = tuple[str, ModelOptions, tuple[str, ...]]
_models: OrderedDict[_Key, LoadedModel] = OrderedDict()
_lock = threading.Lock()
_turns: dict[_Key, threading.Lock] = {}


def shared_model(
    digest: str,
    open_bundle: Callable[[], Bundle],
    options: ModelOptions,
    *,
    allow_modules: Sequence[str] = (),
) -> LoadedModel:
    """Return this process's model for the digest, loading it on first use.

    Args:
        digest: The bundle's digest.
        open_bundle: Returns the bundle; called only when its model is not loaded.
        options: Where it runs, and with which numbers.
        allow_modules: Import paths that the bundle may name.
    """
    options = ModelOptions(
        device=options.device, precision=options.precision, threads=options.threads
    )
    key = (digest, options, tuple(allow_modules))
    with _lock:
        turn = _turns.setdefault(key, threading.Lock())
    with turn:
        found = _loaded(key)
        if found is not None:
            return found
        # Opening can mean waiting for another process: no reason for another model to wait.
        bundle = open_bundle()
        with _lock:
            return _load(key, bundle)


def _loaded(key: _Key) -> LoadedModel | None:
    with _lock:
        if key not in _models:
            return None
        _models.move_to_end(key)
        return _models[key]


def _load(key: _Key, bundle: Bundle) -> LoadedModel:
    digest, options, allow_modules = key
    backend = load_backend(bundle, options, allow_modules=allow_modules)
    try_bundle(backend, bundle, options)
    sizer = _sizer(digest, options)
    atexit.register(sizer.keep, at_last=True)
    _models[key] = LoadedModel(bundle, LocalModel(backend, sizer), PredictionCache())
    while len(_models) > CAPACITY:
        _models.popitem(last=False)
    return _models[key]


def _sizer(digest: str, options: ModelOptions) -> BatchSizer:
    """Start from what this machine learned before, and keep what is learned from now on."""
    sizes = LearnedSizes(cache_directory() / "learned-sizes.json")
    device = options.device.partition(":")[0]
    if device == "cpu" and options.threads is not None:
        device = f"cpu x{options.threads}"
    known = sizes.load(digest, device, options.precision)
    return BatchSizer(
        learned=known, on_keep=lambda now: sizes.save(digest, device, options.precision, now)
    )
