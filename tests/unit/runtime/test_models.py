from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from spark_infer.backends import FunctionBackend, ModelOptions, load_backend
from spark_infer.bundle import Bundle, Manifest
from spark_infer.engine import Predictor
from spark_infer.model import BatchOptions
from spark_infer.runtime import models, shared_model
from tests.unit.support.artifacts import EXPORTED
from tests.unit.support.models import HERE, LINE_SIGNATURE, visits

MANIFEST = Manifest(name="m", artifacts=EXPORTED, signature=LINE_SIGNATURE)


class Loads:
    """Counts what is loaded, in the place of ``load_backend``."""

    def __init__(self) -> None:
        self.calls: list[tuple[ModelOptions, Sequence[str]]] = []
        self.together: threading.Barrier | None = None

    def __call__(
        self, bundle: Bundle, options: ModelOptions, *, allow_modules: Sequence[str]
    ) -> FunctionBackend:
        self.calls.append((options, allow_modules))
        if self.together is not None:
            with contextlib.suppress(threading.BrokenBarrierError):
                self.together.wait(timeout=0.3)  # passes only when two threads load
        return FunctionBackend(lambda x: x)


@pytest.fixture(autouse=True)
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    loads = Loads()
    monkeypatch.setattr(models, "_models", OrderedDict())
    monkeypatch.setattr(models, "load_backend", loads)
    return loads


def load(digest: str, **options: Any) -> models.LoadedModel:
    bundle = Bundle(Path(digest), digest, MANIFEST)
    allow = options.pop("allow_modules", ())
    return shared_model(digest, lambda: bundle, ModelOptions(**options), allow_modules=allow)


def test_a_model_is_loaded_once(loads: Loads) -> None:
    first = load("a")
    assert load("a") is first
    assert first.bundle.digest == "a"
    assert len(loads.calls) == 1


def test_a_loaded_model_needs_no_bundle() -> None:
    def never() -> Bundle:
        raise AssertionError("the model is already loaded")

    first = load("a")
    assert shared_model("a", never, ModelOptions()) is first


@pytest.mark.parametrize(
    "options",
    [
        {"device": "cuda"},
        {"precision": "bfloat16"},
        {"threads": 2},
        {"allow_modules": ("m",)},
    ],
)
def test_options_of_the_model_are_part_of_its_key(loads: Loads, options: dict[str, Any]) -> None:
    assert load("a") is not load("a", **options)
    allow = options.pop("allow_modules", ())
    assert loads.calls == [(ModelOptions(), ()), (ModelOptions(**options), allow)]


def test_the_digest_is_the_key_and_the_batch_size_is_not(loads: Loads) -> None:
    one, two = (
        shared_model("a", lambda: Bundle(Path("a"), "a", MANIFEST), BatchOptions(batch_size=size))
        for size in (1, 2)
    )
    assert one is two
    assert load("b") is not load("a")
    assert len(loads.calls) == 2


def test_the_least_recently_used_model_goes_first(loads: Loads) -> None:
    digests = [str(number) for number in range(models.CAPACITY)]
    kept = {digest: load(digest) for digest in digests}
    load("0")
    load("new")
    assert len(models._models) == models.CAPACITY
    before = len(loads.calls)
    for digest in (*digests[2:], "0", "new"):
        load(digest)
    assert len(loads.calls) == before
    assert load("0") is kept["0"]
    assert load("1") is not kept["1"]


def test_a_model_that_fails_to_load_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(models, "load_backend", fail)
        with pytest.raises(OSError, match="disk"):
            load("a")
    assert load("a").bundle.digest == "a"


def test_threads_that_ask_together_load_once(loads: Loads) -> None:
    loads.together = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(load, ["a", "a"])
    assert first is second
    assert len(loads.calls) == 1


def test_another_model_does_not_wait_for_a_bundle_that_is_being_opened() -> None:
    opening, opened = threading.Event(), threading.Event()

    def slow() -> Bundle:
        opening.set()
        assert opened.wait(timeout=60)
        return Bundle(Path("slow"), "slow", MANIFEST)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(shared_model, "slow", slow, ModelOptions())
        assert opening.wait(timeout=60)
        assert load("other").bundle.digest == "other"
        opened.set()
        assert first.result(timeout=60).bundle.digest == "slow"


def test_a_real_bundle_is_loaded(recurrent: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "load_backend", load_backend)
    digest = recurrent.digest
    loaded = shared_model(digest, lambda: recurrent, BatchOptions(), allow_modules=(HERE,))
    predicted = Predictor(loaded.model, loaded.bundle).predict(visits(2, 1))
    assert predicted["score"].null_count == 0
