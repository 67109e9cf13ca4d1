"""Models of format ``module`` whose code depends on what the saving process has changed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spark_infer as si
from spark_infer.backends import load_backend
from spark_infer.engine.proof.checks.fresh import FreshProcess
from spark_infer.errors import BundleError
from tests.unit.support.models import HERE, save_recurrent

pytestmark = [pytest.mark.fresh_process, pytest.mark.processes]

SCALE = 1.0
PRESENT = True
SIGNATURE = si.Signature(inputs=[si.ScalarInput("x", columns=["a", "b"])], outputs=[si.Output("y")])


def weigh(x: torch.Tensor) -> torch.Tensor:
    return x * SCALE


class Scaled(nn.Module):
    factor = 1.0

    def __init__(self) -> None:
        super().__init__()
        if not PRESENT:
            raise ValueError("there is nothing to be made of")
        self.line = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sys.stdout.write("it runs\n")
        return self.line(weigh(x) * self.factor)


def save(path: Path, **options: Any) -> si.Bundle:
    return si.save_bundle(
        path,
        Scaled(),
        signature=SIGNATURE,
        format="module",
        module=f"{__name__}:Scaled",
        **options,
    )


def test_what_depends_on_nothing_is_saved(tmp_path: Path) -> None:
    assert save(tmp_path / "b").path.is_dir()


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (None, "SCALE", 2.0),
        (None, "weigh", lambda x: x + 1),
        (Scaled, "factor", 3.0),
        (Scaled, "forward", lambda self, x: self.line(x - 1)),
    ],
    ids=["a global", "a function", "an attribute of the class", "a method"],
)
def test_what_this_process_has_changed_is_not_there_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, value: Any
) -> None:
    if owner is None:
        monkeypatch.setitem(globals(), name, value)
    else:
        monkeypatch.setattr(owner, name, value)
    with pytest.raises(BundleError, match=r"answers otherwise than the model.*that begins anew"):
        save(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_a_hook_of_all_modules_is_not_there_elsewhere(tmp_path: Path) -> None:
    def double(module: nn.Module, inputs: Any, output: Any) -> Any:
        return output * 2 if isinstance(module, nn.Linear) else output

    hook = nn.modules.module.register_module_forward_hook(double)
    try:
        with pytest.raises(BundleError, match="begins anew"):
            save(tmp_path / "b")
    finally:
        hook.remove()


def test_a_class_that_can_be_made_here_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made_here.py").write_text(
        "import sys\n"
        "import torch\n"
        "class Made(torch.nn.Linear):\n"
        "    def __init__(self):\n"
        "        super().__init__(2, sys.modules['only_here'].width)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "only_here", SimpleNamespace(width=1))
    model = importlib.import_module("made_here").Made()
    with pytest.raises(BundleError, match=r"made in a Python that begins anew .*only_here"):
        si.save_bundle(
            *(tmp_path / "b", model),
            signature=SIGNATURE,
            format="module",
            module="made_here:Made",
        )


def test_the_current_folder_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('planted')")
    (tmp_path / "numpy.py").write_text("raise SystemExit('planted')")
    monkeypatch.setattr(sys, "path", [str(Path.cwd()), *(path for path in sys.path if path)])
    monkeypatch.chdir(tmp_path)
    assert save(tmp_path / "b").path.is_dir()


def test_it_answers_as_the_model_does_and_raises_what_the_model_raises(tmp_path: Path) -> None:
    bundle = save_recurrent(tmp_path / "b")
    here = load_backend(bundle, allow_modules=(HERE,))
    names = bundle.signature.tensor_names
    random = np.random.default_rng(3)
    tensors = {
        names[0]: random.normal(size=(4, 6, 2)).astype(np.float32),
        names[1]: np.ones((4, 6), np.bool_),
    }
    with FreshProcess(bundle.path, (HERE,)) as elsewhere:
        for one, other in zip(here.run(tensors), elsewhere.run(tensors), strict=True):
            np.testing.assert_array_equal(one, other)
        with pytest.raises(RuntimeError, match="Error"):
            elsewhere.run({names[0]: tensors[names[0]]})
        elsewhere._process.kill()
        elsewhere._process.wait()
        with pytest.raises((RuntimeError, BrokenPipeError)):
            elsewhere.run(tensors)
