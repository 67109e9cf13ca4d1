from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spark_infer as si
from spark_infer.bundle import Bundle
from tests.unit.support.graphs import linear

pytestmark = pytest.mark.processes

FRAMEWORKS = {
    "lightgbm",
    "onnx",
    "onnxruntime",
    "pyspark",
    "skl2onnx",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
    "xgboost",
}

BLOCKER = """
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def run(code: str, *arguments: str, blocked: tuple[str, ...] = ()) -> str:
    """Run code in a Python where some libraries are not installed; return what it prints."""
    code = f"BLOCKED = {blocked!r}\n{BLOCKER}\n{code}"
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_loads_no_framework() -> None:
    code = f"import sys, spark_infer; print(sorted({FRAMEWORKS} & set(sys.modules)))"
    assert run(code) == "[]\n"


def test_the_layers_below_backends_load_no_torch() -> None:
    code = f"""
import sys
import spark_infer.bundle, spark_infer.tensors, spark_infer.engine, spark_infer.runtime
from spark_infer import Bundle, Predictor, Signature, load_model, save_bundle
print(sorted(({FRAMEWORKS} | {{"pandas"}}) & set(sys.modules)))
"""
    assert run(code) == "[]\n"


def test_a_local_path_needs_no_other_file_system(fraud: Bundle, tmp_path: Path) -> None:
    code = """
import sys
from spark_infer import Bundle
from spark_infer.report.files import check_writable
Bundle.load(sys.argv[1])
check_writable(sys.argv[2])
print("pyarrow.fs" in sys.modules)
"""
    assert run(code, str(fraud.path), str(tmp_path)) == "False\n"


def test_prediction_works_where_pyspark_is_not_installed(fraud: Bundle) -> None:
    code = """
import sys
from pathlib import Path
import pyarrow as pa
import spark_infer as si
from spark_infer.runtime import materialise, pack, shared_model

bundle = si.Bundle.load(sys.argv[1])
copy = materialise(bundle.digest, lambda: pack(bundle), Path(sys.argv[2]))
loaded = shared_model(bundle.digest, lambda: copy, si.BatchOptions())
rows = {"amount": [1.5], "hour": pa.array([None], pa.int32()), "history": [["a", "b"]]}
predictor = si.Predictor(loaded.model, loaded.bundle)
predicted = predictor.predict(pa.RecordBatch.from_pydict(rows)).to_pylist()[0]
assert 0 < predicted["score"] < 1 and len(predicted["weights"]) == 2, predicted
assert "pyspark" not in sys.modules
try:
    si.predict
except ModuleNotFoundError as error:
    print(error.name)
"""
    cache = str(fraud.path.parent)
    assert run(code, str(fraud.path), cache, blocked=("pyspark", "py4j")) == "pyspark\n"


def test_a_missing_torch_is_named_when_the_model_is_loaded(fraud: Bundle) -> None:
    code = """
import sys
import spark_infer as si

bundle = si.Bundle.load(sys.argv[1])
try:
    si.load_model(bundle)
except si.errors.RuntimeUnavailable as error:
    print(error)
"""
    message = run(code, str(fraud.path), blocked=("torch",))
    assert message.startswith(f"torch is not installed for {sys.executable}")


def test_a_missing_runtime_is_named_when_an_onnx_model_is_loaded(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", linear(), columns=["a", "b"])
    code = """
import sys
import spark_infer as si

bundle = si.Bundle.load(sys.argv[1])
try:
    si.load_model(bundle)
except si.errors.RuntimeUnavailable as error:
    print(error)
print(sorted({"torch", "onnxruntime"} & set(sys.modules)))
"""
    message = run(code, str(bundle.path), blocked=("onnxruntime", "torch"))
    assert message.startswith(f"onnxruntime is not installed for {sys.executable}")
    assert "(pip install onnxruntime)" in message
    assert message.endswith("[]\n")


def test_an_onnx_bundle_needs_no_torch(tmp_path: Path) -> None:
    bundle = si.save_bundle(tmp_path / "b", linear(), columns=["a", "b"])
    code = """
import sys
import spark_infer as si

bundle = si.Bundle.load(sys.argv[1])
rows = {"a": [2.0], "b": [4.0]}
print(si.Predictor(si.load_model(bundle), bundle).predict(rows)["y"].to_pylist())
"""
    assert run(code, str(bundle.path), blocked=("torch", "pyspark")) == "[2.5]\n"
