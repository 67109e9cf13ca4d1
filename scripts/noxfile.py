"""The groups of tests, as nox sessions. ``scripts/test`` finds Python and Java and runs them.

All but ``wheel`` use the environment that nox itself is installed in.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "scripts" / "constraints.txt"
SPARK35 = ROOT / ".venv-spark35"
ICEBERG = ROOT / ".venv-iceberg"
# Ships the classes of Iceberg 1.9 for Spark 3.5, which its own project has on Maven Central only.
ICEBERG_CLASSES = "sagemaker-feature-store-pyspark==2.2.2"
# Python is half as fast while it is measured: with MEASURE=1, as in a run of everything.
MEASURED = ("--cov", "--cov-report=") if os.environ.get("MEASURE") == "1" else ()
PARALLEL = ("--numprocesses=auto", "--dist=worksteal")
# Each process starts a Spark of its own, which takes memory, and shares it within a file.
PARALLEL_SPARK = ("--numprocesses=2", "--dist=loadfile")
# With NIGHTLY=1 the tests that are marked nightly are run as well, which takes twice as long.
NIGHTLY = os.environ.get("NIGHTLY") == "1"
# JVMs of tests are too short-lived for a second compiler and threads that collect garbage to pay.
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
NO_TESTS_COLLECTED = 5
# The other tests of Spark show what its version has no part in; tests/iceberg runs jobs on it too.
DIFFERING = (
    *("scan/test_types.py", "scan/test_schemas.py", "features/test_expressions.py"),
    *("rows/test_functions.py", "incremental/test_hash.py", "functions/test_predict.py"),
    *("functions/test_udf.py", "sessions/test_settings.py"),
)
DIFFERING_NIGHTLY = (
    *("sinks/files/test_file_table.py", "sinks/files/test_by_workers.py", "test_job.py"),
    *("scan", "features", "rows/test_char.py", "values/test_casts.py", "names/test_columns.py"),
    *("functions/test_evaluations.py", "functions/test_failing_rows.py"),
)

nox.options.default_venv_backend = "none"
nox.options.sessions = [
    *("unit", "processes", "gpu", "spark", "cluster", "benchmarks", "coverage", "spark35"),
    *("iceberg", "jdbc", "wheel"),
]


@nox.session
def unit(session: nox.Session) -> None:
    """Tests that need no JVM, but those marked processes."""
    run_tests(session, "unit", *PARALLEL, *MEASURED, marked="not processes")


@nox.session
def processes(session: nox.Session) -> None:
    """Tests that need no JVM and start Python anew."""
    run_tests(
        *(session, "unit", *PARALLEL, *MEASURED),
        marked="processes",
        success_codes=(0, NO_TESTS_COLLECTED),
    )


@nox.session
def gpu(session: nox.Session) -> None:
    """Tests on a CUDA device; none is run where there is none."""
    run_tests(session, "gpu", success_codes=(0, NO_TESTS_COLLECTED))


@nox.session
def spark(session: nox.Session) -> None:
    """Tests that share one Spark session."""
    run_tests(session, "spark", *PARALLEL_SPARK, *MEASURED)


@nox.session
def cluster(session: nox.Session) -> None:
    """Tests with executors in processes of their own."""
    run_tests(session, "cluster", *PARALLEL_SPARK)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Each benchmark, small."""
    run_tests(session, "benchmarks", "--numprocesses=2")


@nox.session
def coverage(session: nox.Session) -> None:
    """Lines and branches that the groups unit, processes and spark ran, where they did."""
    session.chdir(ROOT)
    session.run(sys.executable, "-m", "coverage", "combine", "--quiet", success_codes=(0, 1))
    session.run(sys.executable, "-m", "coverage", "report", success_codes=(0, 1))


@nox.session
def spark35(session: nox.Session) -> None:
    """What may differ on the oldest Spark that is supported, but what is marked one_spark."""
    python = make_spark35(session, SPARK35)
    paths = [f"tests/spark/{path}" for path in DIFFERING + (DIFFERING_NIGHTLY if NIGHTLY else ())]
    run_tests(
        *(session, "spark", *PARALLEL_SPARK),
        marked="not one_spark",
        paths=paths,
        python=python,
    )


@nox.session
def iceberg(session: nox.Session) -> None:
    """Tests with tables of Iceberg, on Spark 3.5."""
    python = make_spark35(session, ICEBERG, ICEBERG_CLASSES)
    run_tests(session, "iceberg", *PARALLEL_SPARK, python=python)


@nox.session
def jdbc(session: nox.Session) -> None:
    """Tests with a server of PostgreSQL; none is run where that is not installed."""
    run_tests(session, "jdbc", *PARALLEL_SPARK)


@nox.session(venv_backend="venv")
def wheel(session: nox.Session) -> None:
    """The wheel, installed where nothing else is, imports and tells what it is."""
    session.chdir(ROOT)
    folder = session.create_tmp()
    # What an earlier build left would go into this one.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    session.run(sys.executable, *build, external=True)
    (built,) = Path(folder).glob("*.whl")
    session.install("--constraint", str(CONSTRAINTS), str(built))
    session.chdir(folder)
    session.run("spark-infer", "--help")
    session.run("python", "-c", "import spark_infer as si; si.Signature, si.Bundle, si.Predictor")


def run_tests(
    session: nox.Session,
    group: str,
    *options: str,
    marked: str = "",
    paths: Sequence[str] = (),
    python: Path = Path(sys.executable),
    success_codes: tuple[int, ...] = (0,),
) -> None:
    """Run the tests of a group's folder, of paths below it, or of those that were given.

    What was given is run whole, also what is marked nightly.
    """
    session.chdir(ROOT)
    given = session.posargs
    folder = paths or [f"tests/{group}"]
    marks = [marked] if marked else []
    if any(argument.startswith("tests/") for argument in given):
        folder = []
    elif not NIGHTLY:
        marks.append("not nightly")
    session.run(
        str(python),
        *("-m", "pytest", *folder, *options, "-m", " and ".join(marks), *given),
        env={
            "PYSPARK_PYTHON": str(python),
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "COVERAGE_FILE": str(ROOT / f".coverage.{session.name}"),
            "SPARK_SUBMIT_OPTS": "" if NIGHTLY else SHORT_LIVED,
        },
        success_codes=success_codes,
        external=True,
    )


def make_spark35(session: nox.Session, folder: Path, *alone: str) -> Path:
    """Make an environment that sees the packages of this one behind its own few.

    Args:
        session: The session; skipped on a Python that Spark 3.5 does not support.
        folder: Where the environment is.
        alone: Further packages, without those that they ask for.
    """
    if sys.version_info >= (3, 13):
        session.skip(
            f"Spark 3.5 does not support Python 3.13: PYTHON=python3.12 scripts/test {session.name}"
        )
    own = ROOT / "scripts" / "constraints-spark35.txt"
    python, state = folder / "bin" / "python", folder / "state"
    want = own.read_text() + CONSTRAINTS.read_text() + sys.executable + " ".join(alone)
    if state.exists() and state.read_text() == want:
        return python
    session.run(sys.executable, "-m", "venv", "--clear", str(folder), external=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    behind = sysconfig.get_path("purelib")
    (site / "behind.pth").write_text(f"import site; site.addsitedir({behind!r})\n")
    install = ("-m", "pip", "install", "--quiet", "--constraint", str(own), "--no-build-isolation")
    session.run(str(python), *install, "numpy", "pyarrow", "pyspark", external=True)
    if alone:
        session.run(str(python), *install, "--no-deps", *alone, external=True)
    state.write_text(want)
    return python
