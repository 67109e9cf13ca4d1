"""``bench.py compare`` over a git repository with benchmarks that take no time."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.unit.scripts.repository import EVEN, IMPORTS, SCRIPT, Repository

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_sides_take_turns_and_the_first_is_the_last_before(repository: Repository) -> None:
    repository.commit(EVEN)
    repository.commit(EVEN)
    code, table, _ = repository.compare("--rounds", "4", benchmarks="walk,run")
    turns = ["before", "after", "after", "before", "before", "after", "after", "before"]
    expected = [(name, side) for name in ("walk", "run") for side in turns]
    assert [(name, side) for name, side, *_ in repository.logged()] == expected
    assert table[1:] == [
        "walk speed 2.000 2.000 1.000 1.000 1.000 same",
        "run speed 2.000 2.000 1.000 1.000 1.000 same",
    ]
    assert code == 0


def test_what_is_slower_makes_it_fail(repository: Repository) -> None:
    repository.commit('ratios = {"speed": 2.0, "memory": 1.0, "other": 1.0, "old": 3.0}')
    repository.commit('ratios = {"speed": 2.5, "memory": 1.5, "other": 0.5, "new": 4.0}')
    code, table, _ = repository.compare("--rounds", "3")
    assert table == [
        "benchmark figure before after after/before spread before spread after verdict",
        "walk speed 2.000 2.500 1.250 1.000 1.000 faster",
        "walk memory (less is better) 1.000 1.500 1.500 1.000 1.000 slower",
        "walk other 1.000 0.500 0.500 1.000 1.000 slower",
        "walk old 3.000 1.000 only before",
        "walk new 4.000 1.000 only after",
    ]
    assert code == 1


def test_noise_is_what_was_measured(repository: Repository) -> None:
    repository.commit('ratios = {"speed": 2.0}')
    noisy = 'round = Path(os.environ["LOG"]).read_text().count("after") - 1\n'
    repository.commit(noisy + 'ratios = {"speed": [1.5, 1.6, 2.4][round]}')
    process = repository.start("HEAD~1", "HEAD", "--benchmarks=walk", "--rounds=3")
    printed, _ = process.communicate()
    lines = [line.split() for line in printed.splitlines()]
    assert lines[1] == ["walk", "speed", "2.000", "1.600", "0.800", "1.000", "1.600", "same"]
    assert " ".join(lines[2]) == "same: no change beyond the spread, which hides up to 1.600 times"
    assert process.returncode == 0


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_benchmark_that_fails_is_named_and_the_rest_goes_on(
    repository: Repository, side: str
) -> None:
    failing = f'if options.benchmark == "walk":\n    raise ValueError("lame")\n{EVEN}'
    for name in ("before", "after"):
        repository.commit(failing if name == side else EVEN)
    code, table, said = repository.compare("--rounds", "3", benchmarks="walk,run")
    other = "after" if side == "before" else "before"
    assert table[1:] == [
        f"walk speed 2.000 1.000 only {other}",
        "run speed 2.000 2.000 1.000 1.000 1.000 same",
    ]
    assert said.splitlines()[-1] == f"walk failed {side}: ValueError: lame"
    assert [name for name, *_ in repository.logged()] == ["walk"] * 2 + ["run"] * 6
    assert code == 2


def test_a_benchmark_that_only_one_side_has(repository: Repository) -> None:
    repository.commit_script(SCRIPT.format(imports=IMPORTS, body=EVEN).replace(', "run"', ""))
    repository.commit(EVEN)
    code, table, said = repository.compare(benchmarks="run")
    assert table[1:] == ["run speed 2.000 1.000 only after"]
    assert "run failed before: bench.py: error: argument benchmark: invalid choice" in said
    assert code == 2


def test_a_figure_that_is_no_number_is_a_failure(repository: Repository) -> None:
    repository.commit(EVEN)
    repository.commit('ratios = {"speed": float("nan")}')
    code, _, said = repository.compare()
    assert said.splitlines()[-1] == "walk failed after: speed is nan, which is no figure"
    assert code == 2


def test_a_child_that_dies_without_a_word_is_a_failure(repository: Repository) -> None:
    repository.commit(EVEN)
    repository.commit("os.kill(os.getpid(), signal.SIGKILL)")
    code, _, said = repository.compare()
    assert said.splitlines()[-1] == "walk failed after: exit status -9"
    assert code == 2


@pytest.mark.parametrize("status", [0, 1])
def test_another_spark_infer_than_its_own_ends_it(
    repository: Repository, tmp_path: Path, status: int
) -> None:
    foreign = tmp_path / "elsewhere" / "spark_infer"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").touch()
    repository.commit(EVEN)
    repository.commit(
        f"{EVEN}\nif {status}: raise ValueError",
        f"sys.path.insert(0, {str(foreign.parent)!r})\n{IMPORTS}",
    )
    code, table, said = repository.compare(benchmarks="walk,run")
    sentence = said.splitlines()[-1]
    assert sentence.startswith("bench.py compare: after (HEAD): its benchmark imported ")
    assert str(foreign / "__init__.py") in sentence
    assert (code, table) == (2, [])


def test_a_benchmark_without_spark_infer_ends_it(repository: Repository) -> None:
    repository.commit(EVEN, imports="")
    repository.commit(EVEN)
    code, _, said = repository.compare()
    assert "before (HEAD~1): the benchmark walk never imported spark_infer" in said
    assert code == 2


@pytest.mark.parametrize(
    "script",
    [
        SCRIPT.replace('parser.add_argument("--json", type=Path)', ""),
        "import spark_infer",
    ],
)
def test_a_script_that_cannot_write_json_is_one_sentence(
    repository: Repository, script: str
) -> None:
    repository.commit_script(script.format(imports=IMPORTS, body=EVEN))
    repository.commit(EVEN)
    code, table, said = repository.compare(benchmarks="walk,run")
    assert said.splitlines()[-1] == (
        "bench.py compare: before (HEAD~1): its scripts/bench.py cannot write a result with "
        "--json, so there is nothing to compare; choose a newer revision"
    )
    assert len(said.splitlines()) == 2
    assert (code, table) == (2, [])


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupt_ends_the_child_and_removes_the_worktrees(
    repository: Repository, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    waiting = f"Path({str(started)!r}).write_text(str(os.getpid()))\nsignal.pause()"
    repository.commit(EVEN)
    repository.commit(waiting)
    process = repository.start("HEAD~1", "HEAD", "--benchmarks", "walk")
    child = int(started.read_text())
    assert len(repository.git("worktree", "list").splitlines()) == 3
    process.send_signal(sent)
    assert repository.end(process)[0] == code
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_options_reach_the_benchmarks(repository: Repository) -> None:
    repository.commit(EVEN)
    repository.commit(EVEN)
    code, _, _ = repository.compare("--rounds", "3", "--quick", "--rows", "7")
    assert {tuple(options) for _, _, *options in repository.logged()} == {("True", "7")}
    assert code == 0


def test_sides_share_no_data(repository: Repository) -> None:
    look = """
cache = Path(os.environ["XDG_CACHE_HOME"])
found = {path.name for path in cache.glob("*.data")}
(cache / f"{side}.data").touch()
ratios = {"others": 1.0 + len(found - {f"{side}.data"}), "own": 1.0 + len(found)}
"""
    repository.commit(look)
    repository.commit(look)
    _, table, _ = repository.compare("--rounds", "3")
    assert table[1:] == [
        "walk others 1.000 1.000 1.000 1.000 1.000 same",
        # The second round finds what the first left.
        "walk own 2.000 2.000 1.000 2.000 2.000 same",
    ]


def test_folders_are_compared_as_they_stand(repository: Repository, tmp_path: Path) -> None:
    repository.commit('ratios = {"speed": 2.0}')
    copy = tmp_path / "copy"
    shutil.copytree(repository.root, copy)
    script = copy / "scripts" / "bench.py"
    script.write_text(script.read_text().replace("2.0", "3.0"))
    process = repository.start("HEAD", str(copy), "--benchmarks=walk", "--rounds=3")
    code, table, _ = repository.end(process)
    assert table[1:] == ["walk speed 2.000 3.000 1.500 1.000 1.000 faster"]
    assert [side for _, side, *_ in repository.logged()[:2]] == ["before", "copy"]
    assert script.exists()
    assert code == 0


def test_what_is_no_checkout_is_refused(repository: Repository) -> None:
    repository.commit(EVEN)
    repository.git("rm", "--quiet", "scripts/bench.py")
    repository.git("commit", "--quiet", "--message=without")
    code, _, said = repository.compare()
    assert said == (
        "bench.py compare: the revision 'HEAD' has no scripts/bench.py; choose one that has it\n"
    )
    assert code == 2
    code, _, said = repository.end(repository.start("main", "nothing", "--benchmarks=walk"))
    assert "has no scripts/bench.py" in said
    code, _, said = repository.end(repository.start("nothing", "main", "--benchmarks=walk"))
    assert said == (
        "bench.py compare: 'nothing' is neither a folder with scripts/bench.py nor a revision of a "
        f"git repository at {repository.root}; name one of them\n"
    )
    assert code == 2


@pytest.mark.parametrize("rounds", ["2", "0", "-1", "many"])
def test_too_few_rounds_are_refused(repository: Repository, rounds: str) -> None:
    repository.commit(EVEN)
    repository.commit(EVEN)
    code, _, said = repository.compare(f"--rounds={rounds}")
    assert "is no number from 3 on" in said
    assert code == 2
