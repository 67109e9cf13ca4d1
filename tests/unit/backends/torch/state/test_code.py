from __future__ import annotations

import builtins
import json
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch

import spark_infer.bundle
from spark_infer.backends.torch.state.code import UserCode, names_in
from tests.unit.support import keeps


def test_what_is_neither_pythons_nor_installed_is_the_users() -> None:
    code = UserCode(set())
    assert all(map(code.has, [__name__, keeps.__name__, "of_a_notebook"]))
    others = [json, builtins, sys, pa, pytest, torch.nn, np, spark_infer.bundle]
    assert not any(code.has(module.__name__) for module in others)
    assert not code.has(None)


def test_installed_files_of_the_model_are_too_unless_they_are_torchs() -> None:
    code = UserCode({"pyarrow.lib", "torch.nn.modules.linear"})
    assert code.has("pyarrow.lib")
    assert not code.has("pyarrow")
    assert not code.has("torch.nn.modules.linear")


def test_names_are_those_of_functions_inside_too() -> None:
    def function() -> object:
        globals()["as_text"] = [torch.ones(1) for _ in range(3)]
        return lambda: keeps.FIRST

    names = names_in(function.__code__)
    assert {"as_text", "torch", "ones", "range", "keeps", "FIRST"} <= names


def test_globals_of_modules_that_code_names_are_found() -> None:
    def function() -> object:
        import tests.unit.support.models

        return keeps.FIRST, tests.unit.support.models.HERE, torch.nn

    from tests.unit.support import models

    found = UserCode(set()).globals_of(function.__code__, globals())
    assert {values["__name__"] for values in found} >= {__name__, keeps.__name__, models.__name__}
