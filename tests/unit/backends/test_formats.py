"""The table of formats: what is in it, what it imports and when, and that a line adds one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

import pytest

from spark_infer.backends.formats import (
    FORMATS,
    Entry,
    Format,
    built_with,
    find_format,
    missing_library,
)
from spark_infer.backends.module_path import ModulePath
from spark_infer.bundle import Bundle, ModelFormat
from spark_infer.errors import BundleError, RuntimeUnavailable
from tests.unit.support.models import HERE
from tests.unit.test_imports import run


def test_the_table_has_the_names_that_a_manifest_may_hold() -> None:
    assert tuple(FORMATS) == get_args(ModelFormat)


@pytest.mark.parametrize("name", FORMATS)
def test_an_entry_leads_to_a_format_of_its_own_folder(name: str) -> None:
    found = find_format(name)
    assert type(found).__module__ == FORMATS[name].home
    assert type(found) not in {type(find_format(other)) for other in FORMATS if other != name}
    assert found.hint
    assert found.name == name


def test_a_name_that_is_not_there_is_refused_with_the_nearest() -> None:
    for call in (find_format, built_with):
        with pytest.raises(BundleError, match="'modul' is unknown; did you mean 'module'"):
            call("modul")


def test_a_bundle_names_what_it_was_built_with() -> None:
    assert set(built_with("export")) == {"python", "spark-infer", "torch"}


@pytest.mark.parametrize(
    ("missing", "packages", "name", "package"),
    [
        ("torch.export", {"torch": "torch"}, "torch", "torch"),
        ("sklearn.base", {"sklearn": "scikit-learn"}, "sklearn", "scikit-learn"),
        ("safetensors", {"torch": "torch"}, "safetensors", "safetensors"),
        ("pyspark", None, "pyspark", "pyspark"),
    ],
)
def test_a_missing_library_is_named_with_its_python(
    missing: str, packages: dict[str, str] | None, name: str, package: str
) -> None:
    error = missing_library(ModuleNotFoundError("no", name=missing), packages)
    assert isinstance(error, RuntimeUnavailable)
    assert str(error).startswith(f"{name} is not installed for {sys.executable} on host ")
    assert f"(pip install {package})" in str(error)


def test_the_library_of_an_entry_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_much.py").write_text("import imported_by_nobody.at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry = Entry("needs_much", {"imported_by_nobody": "nobodys-package"})
    monkeypatch.setitem(FORMATS, "fake", entry)
    with pytest.raises(RuntimeUnavailable, match=r"imported_by_nobody is .*install nobodys-pack"):
        find_format("fake")


def test_a_format_of_programs_has_no_class_to_find() -> None:
    path = ModulePath("os", "system")
    with pytest.raises(BundleError, match="b: it names 'os:system', and its format runs no such"):
        Format.find_class(find_format("export"), path, ("os",), where="b")


@pytest.mark.processes
def test_the_table_imports_no_framework() -> None:
    code = """
import sys
import spark_infer.backends.formats, spark_infer.engine.save, spark_infer.backends.load
print([name for name in sys.modules if name == "torch" or ".backends.torch" in name])
"""
    assert run(code) == "[]\n"


@pytest.mark.parametrize(
    ("kind", "other"), [("fraud", "torch.module"), ("recurrent", "torch.program")]
)
@pytest.mark.processes
def test_a_bundle_imports_no_other_format(
    request: pytest.FixtureRequest, kind: str, other: str
) -> None:
    bundle: Bundle = request.getfixturevalue(kind)
    code = """
import json, sys
from spark_infer.backends import load_backend

load_backend(sys.argv[1], allow_modules=[sys.argv[2]])
print(json.dumps([name for name in sys.modules if "spark_infer.backends." in name]))
"""
    imported = json.loads(run(code, str(bundle.path), HERE))
    home = FORMATS[bundle.manifest.base.format].home
    assert home in imported
    assert [name for name in imported if f"backends.{other}" in name] == []


FAKE = '''
"""The format of a NumPy factor, in a file of text."""
from contextlib import nullcontext
from spark_infer.backends import FunctionBackend
from spark_infer.backends.formats import Format, Prepared, Taken
from spark_infer.backends.original import Stateless

class Times(Stateless, FunctionBackend):
    def __init__(self, factor):
        super().__init__(lambda x: x * factor)

class FakeFormat(Format):
    name = "fake"
    hint = "store all of the factor"
    def take(self, model, said):
        return Taken(model, said.signature)
    def original(self, model, signature):
        return nullcontext(Times(model))
    def prepare(self, model, signature, **options):
        return Prepared({}, lambda root: (root / "factor.txt").write_text(str(model)))
    def load(self, bundle, options, allow_modules):
        return Times(int(float((bundle.artifact_path / "factor.txt").read_text())))

FORMAT = FakeFormat()
'''

USES_FAKE = """
import sys
from typing import Literal
import numpy as np
import spark_infer as si
from spark_infer.backends.formats import FORMATS, Entry
from spark_infer.bundle import artifact

folder, fakes = sys.argv[1:]
sys.path.insert(0, fakes)
FORMATS["fake"] = Entry("fake.format", {"numpy": "numpy"})
artifact.ModelFormat = Literal["export", "module", "fake"]

item = si.ScalarInput("x", columns=["a"])
signature = si.Signature(inputs=[item], outputs=[si.Output("y", shape=(1,))])
assert "fake.format" not in sys.modules
si.save_bundle(folder + "/good", np.float32(3), signature=signature, format="fake")
bundle = si.Bundle.load(folder + "/good")
assert bundle.manifest.built_with["numpy"] == np.__version__
assert set(bundle.files) == {"manifest.json", "examples.json", "artifacts/base/factor.txt"}
print(si.Predictor(si.load_model(bundle), bundle).predict({"a": [2.0]})["y"].to_pylist())
try:
    si.save_bundle(folder + "/bad", np.float32(2.5), signature=signature, format="fake")
except si.errors.BundleError as error:
    print(error)
print(sorted({"torch"} & set(sys.modules)))
"""


@pytest.mark.processes
def test_a_folder_and_a_line_add_a_format(tmp_path: Path) -> None:
    (tmp_path / "code" / "fake").mkdir(parents=True)
    (tmp_path / "code" / "fake" / "format.py").write_text(FAKE)
    printed = run(USES_FAKE, str(tmp_path), str(tmp_path / "code"), blocked=("torch",))
    predicted, refused, torch = printed.splitlines()
    assert predicted == "[[6.0]]"
    assert refused.endswith("store all of the factor")
    assert torch == "[]"
    assert not (tmp_path / "bad").exists()
