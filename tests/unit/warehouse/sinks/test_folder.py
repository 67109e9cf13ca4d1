"""The files of a folder on this machine, listed without Hadoop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.sinks.folder import _files_below


def test_files_and_when_they_changed(tmp_path: Path) -> None:
    names = ["b.parquet", "day=2018-08-08/x=%3A ü/a.parquet", "day=2018-08-08/_hidden/c"]
    for number, name in enumerate(names):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
        os.utime(file, (0, 1000 + number))
    (tmp_path / "empty").mkdir()
    assert sorted(_files_below(tmp_path)) == sorted(zip(names, (1000, 1001, 1002), strict=True))


def test_a_link_to_a_folder_is_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").write_text("")
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "day=1").symlink_to(tmp_path / "elsewhere")
    assert [path for path, _ in _files_below(tmp_path / "table")] == ["day=1/a"]


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match=f"{name} cannot be listed: No"):
        list(_files_below(tmp_path / name))
