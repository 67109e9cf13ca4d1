from __future__ import annotations

import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import spark_infer
from spark_infer._version import __version__, versions_of
from tests.unit.test_imports import run

ROOT = Path(spark_infer.__file__).parent


def test_the_version_is_said_once() -> None:
    assert spark_infer.__version__ == __version__
    said = [path.name for path in ROOT.rglob("*.py") if f'"{__version__}"' in path.read_text()]
    assert said == ["_version.py"]


def test_the_package_is_built_with_it() -> None:
    pytest.importorskip("setuptools")
    project = Path(__file__).parents[2]
    code = f"""
import os
from setuptools import setup

os.chdir({str(project)!r})
setup(script_args=["--quiet", "--version"])
"""
    assert run(code).split() == [__version__]


def test_what_is_installed_is_named_and_nothing_else() -> None:
    found = versions_of("numpy", "imported-by-nobody")
    assert list(found) == ["python", "spark-infer", "numpy"]
    assert found["numpy"] == np.__version__ == version("numpy")


def test_code_in_an_archive_knows_its_version(tmp_path: Path) -> None:
    archive = tmp_path / "code.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in ROOT.glob("*.py"):
            file.write(path, f"spark_infer/{path.name}")
    code = f"""
import sys
sys.path.insert(0, {str(archive)!r})
from spark_infer._version import versions_of
import spark_infer
assert spark_infer.__file__.startswith(sys.path[0]), spark_infer.__file__
print(versions_of()["spark-infer"])
"""
    assert run(code) == f"{__version__}\n"
