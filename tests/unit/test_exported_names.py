from __future__ import annotations

import importlib.util

import pytest

import spark_infer

NEEDS_PYSPARK = ("spark", "warehouse")


def test_all_is_sorted() -> None:
    assert spark_infer.__all__ == sorted(set(spark_infer.__all__))


def test_every_exported_name_has_one_home() -> None:
    assert sorted(spark_infer._HOME_OF) == spark_infer.__all__
    assert set(spark_infer.__all__) <= set(dir(spark_infer))


@pytest.mark.parametrize("name", spark_infer.__all__)
def test_every_exported_name_can_be_imported(name: str) -> None:
    home = spark_infer._HOME_OF[name]
    if home in NEEDS_PYSPARK and importlib.util.find_spec("pyspark") is None:
        pytest.skip("needs pyspark")
    assert getattr(spark_infer, name).__name__ == name


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'spark_infer' has no attribute 'infer'"):
        _ = spark_infer.infer


@pytest.mark.parametrize(
    "folder", ["backends", "bundle", "engine", "runtime", "tensors", "transforms"]
)
def test_the_names_of_a_folder_are_sorted_and_there(folder: str) -> None:
    module = importlib.import_module(f"spark_infer.{folder}")
    assert module.__all__ == sorted(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)
