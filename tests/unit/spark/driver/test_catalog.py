"""The catalog in the current directory, without a JVM."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("pyspark")

from spark_infer.errors import ConfigError, RuntimeUnavailable
from spark_infer.spark.driver import catalog
from spark_infer.spark.driver.catalog import embedded, is_chosen


class Conf(dict[str, str]):
    def getAll(self) -> list[tuple[str, str]]:  # noqa: N802 - as pyspark calls it
        return list(self.items())


def jvm(hive_site: str | None = None) -> Any:
    """A JVM with or without a hive-site.xml on its class path."""
    loader = SimpleNamespace(getResource=lambda name: hive_site)
    thread = SimpleNamespace(getContextClassLoader=lambda: loader)
    properties: dict[str, str] = {}
    lang = SimpleNamespace(
        Thread=SimpleNamespace(currentThread=lambda: thread),
        System=SimpleNamespace(setProperty=properties.__setitem__),
    )
    return SimpleNamespace(java=SimpleNamespace(lang=lang), properties=properties)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalog, "_held", {})
    return tmp_path / "spark_infer_catalog"


def test_it_stands_in_the_current_directory_and_says_so(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    machine = jvm()
    settings = embedded(machine, Conf({"spark.master": "local"}))
    assert settings["spark.sql.catalogImplementation"] == "hive"
    assert settings["spark.sql.warehouse.dir"] == str(folder / "warehouse")
    assert all(str(folder) in value for value in list(settings.values())[1:])
    assert machine.properties == {"derby.stream.error.file": str(folder / "derby.log")}
    assert [record.getMessage() for record in caplog.records] == [
        f"no catalog is configured: tables are kept in {folder}"
    ]


@pytest.mark.parametrize(
    "key",
    [
        "spark.sql.catalogImplementation",
        "spark.sql.warehouse.dir",
        "spark.sql.defaultCatalog",
        "spark.sql.catalog.spark_catalog",
        "spark.sql.catalog.lake.uri",
        "spark.hive.metastore.uris",
        "spark.hadoop.hive.metastore.uris",
        "spark.hadoop.javax.jdo.option.ConnectionURL",
    ],
)
def test_a_catalog_that_is_chosen_is_used(folder: Path, key: str) -> None:
    assert is_chosen(key)
    assert embedded(jvm(), Conf({key: "x"})) == {}
    assert not folder.exists()


def test_a_hive_site_chooses_a_catalog(folder: Path) -> None:
    assert embedded(jvm("file:/conf/hive-site.xml"), Conf()) == {}
    assert not folder.exists()


@pytest.mark.parametrize("key", ["spark.sql.catalogX", "spark.hadoop.hive.exec.dynamic.partition"])
def test_other_settings_choose_none(key: str) -> None:
    assert not is_chosen(key)


def test_a_driver_on_the_cluster_has_no_lasting_directory() -> None:
    with pytest.raises(ConfigError, match="its own directory on the cluster goes"):
        embedded(jvm(), Conf({"spark.submit.deployMode": "cluster"}))


def test_one_process_at_a_time_uses_it(folder: Path) -> None:
    embedded(jvm(), Conf())
    assert embedded(jvm(), Conf())  # the same process, again
    other = (
        "from pathlib import Path; from spark_infer.spark.driver.catalog import _hold; "
        f"_hold(Path({str(folder)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", other], capture_output=True, text=True, check=False
    )
    assert f"RuntimeUnavailable: the catalog in {folder} is used by another" in done.stderr


def test_a_catalog_in_use_is_transient(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded(jvm(), Conf())
    held = dict(catalog._held)
    monkeypatch.setattr(catalog, "_held", {})
    with pytest.raises(RuntimeUnavailable, match="only one at a time can") as caught:
        embedded(jvm(), Conf())
    assert caught.value.transient
    assert list(held) == [folder]


def test_a_directory_that_cannot_be_written_is_told(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(ConfigError, match=f"{folder} cannot be made: .*spark.sql.warehouse.dir"):
        embedded(jvm(), Conf())


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
def test_a_folder_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigError, match=f"{folder} can be written by others.*chmod go-w"):
        embedded(jvm(), Conf())
    assert list(folder.iterdir()) == []


def test_a_folder_of_somebody_else_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    monkeypatch.setattr("os.getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(ConfigError, match=f"{folder} belongs to another user"):
        embedded(jvm(), Conf())


def test_a_link_to_a_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=f"{folder} is a symbolic link"):
        embedded(jvm(), Conf())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_its_folder_is_this_users_alone_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        embedded(jvm(), Conf())
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_link_in_the_place_of_its_lock_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "in_use.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"spark_infer_catalog cannot be made: .*symbolic link"):
        embedded(jvm(), Conf())
    assert not (tmp_path / "elsewhere").exists()
