from __future__ import annotations

import json
import logging
import multiprocessing
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spark_infer.model.sizing import BatchSizer, Ceiling, LearnedSize
from spark_infer.runtime.learned import MAX_ENTRIES, LearnedSizes

SIZE = LearnedSize(4096, None, {4096: 1e6}, settled=True)
MODEL = ("digest", "cpu", "float32")
NOW = time.time()
C512, C1024 = Ceiling(512, NOW), Ceiling(1024, NOW)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "made" / "sizes.json"


def test_sizes_are_kept_by_model_device_and_precision(file: Path) -> None:
    assert LearnedSizes(file).load(*MODEL) == {}
    LearnedSizes(file).save(*MODEL, {16: SIZE})
    other = LearnedSize(512, C512, {}, settled=False)
    LearnedSizes(file).save("digest", "cuda", "float32", {16: other})
    assert LearnedSizes(file).load(*MODEL) == {16: SIZE}
    assert LearnedSizes(file).load("digest", "cuda", "float32") == {16: other}
    assert LearnedSizes(file).load("digest", "cpu", "bfloat16") == {}
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "sizes.json",
        "sizes.json.lock",
    ]


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        (SIZE, LearnedSize(256, None, {256: 1e5}, False), SIZE),
        (LearnedSize(256, None, {256: 1e5}, False), SIZE, SIZE),
        (
            SIZE,
            LearnedSize(8192, None, {8192: 2e6}, True),
            LearnedSize(8192, None, {8192: 2e6}, True),
        ),
        (SIZE, LearnedSize(512, C1024, {}, False), LearnedSize(1024, C1024, {}, False)),
        (LearnedSize(512, C1024, {}, False), SIZE, LearnedSize(1024, C1024, {}, False)),
    ],
)
def test_a_settled_size_wins_and_every_ceiling_holds(
    file: Path, old: LearnedSize, new: LearnedSize, kept: LearnedSize
) -> None:
    sizes = LearnedSizes(file)
    sizes.save(*MODEL, {16: old})
    sizes.save(*MODEL, {16: new, 32: SIZE})
    assert sizes.load(*MODEL) == {16: kept, 32: SIZE}


def _save_many(file: Path, number: int) -> None:
    for length in range(20):
        LearnedSizes(file).save(f"digest {number}", "cpu", "float32", {1 << length: SIZE})


def test_processes_share_the_file(file: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_save_many, args=(file, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for number in range(4):
        assert len(LearnedSizes(file).load(f"digest {number}", "cpu", "float32")) == 20


def test_the_oldest_model_goes_first(file: Path) -> None:
    sizes = LearnedSizes(file)
    sizes.save("first", "cpu", "float32", {16: SIZE})
    sizes.save("second", "cpu", "float32", {16: SIZE})
    sizes.save("first", "cpu", "float32", {32: SIZE})
    for number in range(MAX_ENTRIES - 1):
        sizes.save(f"later {number}", "cpu", "float32", {16: SIZE})
    assert sizes.load("second", "cpu", "float32") == {}
    assert len(sizes.load("first", "cpu", "float32")) == 2


GOOD = {"tokens": 8, "ceiling": None, "rates": {"8": 1.0}, "settled": True}


def entries(size: Any) -> str:
    return json.dumps({"format_version": 2, "entries": {" ".join(MODEL): {"16": size}}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        json.dumps({"format_version": "2", "entries": {}}),
        entries({**GOOD, "tokens": 0}),
        entries({**GOOD, "tokens": True}),
        entries({**GOOD, "ceiling": 8}),
        entries({**GOOD, "ceiling": {"tokens": -1, "since": 0.0}}),
        entries({**GOOD, "ceiling": {"tokens": 8, "since": "today"}}),
        entries({**GOOD, "ceiling": {"tokens": 8}}),
        entries({**GOOD, "settled": "yes"}),
        entries({**GOOD, "rates": {"8": None}}),
        entries({**GOOD, "more": 1}),
        entries([8]),
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(
    file: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert LearnedSizes(file).load(*MODEL) == {}
    assert "learned batch sizes" in caplog.text
    LearnedSizes(file).save(*MODEL, {16: SIZE})
    assert LearnedSizes(file).load(*MODEL) == {16: SIZE}


@pytest.mark.parametrize("suffix", ["", ".lock", ".new"])
@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to("target")])
def test_pipes_and_links_are_neither_waited_for_nor_followed(
    file: Path, suffix: str, plant: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    target = file.with_name("target")
    target.write_text(entries(GOOD))
    plant(file.with_name(file.name + suffix))
    with caplog.at_level(logging.WARNING):
        assert LearnedSizes(file).load(*MODEL) == {}
        LearnedSizes(file).save(*MODEL, {16: SIZE})
    assert ("learned batch sizes" in caplog.text) == (suffix != ".new")
    assert target.read_text() == entries(GOOD)


def test_a_file_that_cannot_be_written_is_only_a_warning(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        LearnedSizes(file).save(*MODEL, {16: SIZE})
    assert "learned batch sizes are not kept" in caplog.text
    assert LearnedSizes(file).load(*MODEL) == {}


@pytest.mark.parametrize("version", [1, 3])
def test_a_file_of_another_version_is_ignored_without_a_word(
    file: Path, version: int, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    old = {"tokens": 8, "ceiling": 8, "rates": {}, "settled": False}
    entry = {" ".join(MODEL): {"16": old}}
    file.write_text(json.dumps({"format_version": version, "entries": entry}))
    with caplog.at_level(logging.WARNING):
        assert LearnedSizes(file).load(*MODEL) == {}
        LearnedSizes(file).save(*MODEL, {16: SIZE})
        assert LearnedSizes(file).load(*MODEL) == {16: SIZE}
    assert not caplog.records


def test_a_ceiling_no_longer_counts_after_a_day() -> None:
    day = 24 * 3600.0
    ceiling = Ceiling(1024, NOW)
    limited = LearnedSize(1024, ceiling, {512: 1.0, 1024: 1.5}, settled=False)
    bare = LearnedSize(1024, ceiling, {}, settled=False)
    for later in (0.0, day - 1, 1 - day):
        assert (limited.at(NOW + later), bare.at(NOW + later)) == (limited, bare)
    free = LearnedSize(1024, None, {512: 1.0, 1024: 1.5}, settled=False)
    for later in (day, -day):
        assert (limited.at(NOW + later), bare.at(NOW + later)) == (free, None)


def test_an_old_ceiling_in_the_file_limits_nothing_and_gives_way(file: Path) -> None:
    now = [NOW]
    sizes = LearnedSizes(file, clock=lambda: now[0])
    sizer = BatchSizer(on_keep=lambda known: sizes.save(*MODEL, known), clock=lambda: now[0])
    sizer.lower(64, 2048)
    sizer.keep(at_last=True)
    assert BatchSizer(learned=sizes.load(*MODEL)).ceiling(64) == 1024
    # Keeping it again makes it no younger.
    now[0] += 20 * 3600.0
    sizer.lower(256, 1024)
    sizer.keep(at_last=True)
    again = BatchSizer(learned=sizes.load(*MODEL))
    assert (again.ceiling(64), again.ceiling(256)) == (1024, 512)
    now[0] += 10 * 3600.0
    again = BatchSizer(learned=sizes.load(*MODEL))
    assert (again.ceiling(64), again.ceiling(256)) == (sys.maxsize, 512)
    sizes.save(*MODEL, {64: SIZE})
    assert sizes.load(*MODEL)[64] == SIZE


def test_a_process_that_ends_loses_nothing_that_it_learned(tmp_path: Path) -> None:
    """Without a stream that ended, and well before the time to keep anything again."""
    script = """
        from pathlib import Path
        import pyarrow as pa
        import spark_infer as si
        from spark_infer.backends import FunctionBackend
        from spark_infer.runtime import models

        signature = si.Signature(
            inputs=[si.ScalarInput("x", columns=["a"])], outputs=[si.Output("y")]
        )
        models.load_backend = lambda *given, **options: FunctionBackend(lambda x: x[:, 0])
        models.try_bundle = lambda *given: None
        sizers = []
        make = models.BatchSizer
        models.BatchSizer = lambda **given: sizers.append(make(**given)) or sizers[-1]
        model = models.shared_model("digest", lambda: None, si.ModelOptions())
        predictor = si.Predictor(model.model, signature)
        values = [float(value) for value in range(1000)]
        batch = pa.RecordBatch.from_pydict({"a": pa.array(values, pa.float32())})
        predictor.predict(batch.slice(0, 300))
        predictor.predict(batch)
        predictor.predict(batch)
        sizers[0].lower(4096, 1000)
        print(len(sizers[0].learned()))
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2"]
    (kept,) = tmp_path.rglob("learned-sizes.json")
    sizes = LearnedSizes(kept).load(*MODEL)
    assert set(sizes) == {1, 4096}
    assert sizes[1].rates
    assert sizes[4096].most == 500
