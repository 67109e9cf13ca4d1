from __future__ import annotations

from typing import Any

import pytest

from spark_infer.backends import load_backend
from spark_infer.backends.module_path import ModulePath
from spark_infer.bundle import Bundle
from spark_infer.errors import BundleError, ConfigError


@pytest.mark.parametrize("allowed", ["a.b", "a", "a.b:C"])
def test_paths_that_are_allowed(allowed: str) -> None:
    ModulePath("a.b", "C").check_allowed(("z", allowed), where="here")


@pytest.mark.parametrize("allowed", ["a.b.c", "a.bb", "b", "", "a.b:CC", "a."])
def test_paths_that_are_not_allowed(allowed: str) -> None:
    with pytest.raises(
        BundleError, match=r"here: it runs code from 'a\.b:C'.*pass allow_modules=\('a\.b',\)"
    ):
        ModulePath("a.b", "C").check_allowed((allowed,), where="here")


@pytest.mark.parametrize(
    ("allow", "message"),
    [
        ("a.b", r"must be a list of import paths, such as \['a\.b'\]"),
        ([1], "got 1"),
        ([""], "got ''"),
    ],
)
def test_allowed_modules_are_a_list(fraud: Bundle, allow: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"allow_modules .*{message}"):
        load_backend(fraud, allow_modules=allow)
