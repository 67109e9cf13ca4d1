"""What a job file may say of a database, and what it must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import spark_infer as si
from spark_infer.errors import ConfigError

URL = "jdbc:postgresql://db.example:5432/lake"


def load(folder: Path, jdbc: dict[str, Any], **target: Any) -> si.ScoringJob:
    found = {k: v for k, v in ({"url": URL, "user_env": "U"} | jdbc).items() if v is not None}
    table = {"table": "store.scores", "mode": "merge", "jdbc": found}
    job = {
        "name": "jdbc",
        "source": {"table": "tx"},
        "key": ["id"],
        "bundle": {"path": "bundle"},
        "target": table | target,
    }
    file = folder / "job.yaml"
    file.write_text(yaml.safe_dump(job))
    return si.ScoringJob.load(file)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "jdbc:postgresql://db/lake",
        "jdbc:postgresql://[::1]:5432/lake",
        "jdbc:postgresql://one:5432,two:5432/lake?targetServerType=primary&connectTimeout=5",
        f"{URL}?sslmode=verify-full&sslrootcert=/etc/ca.pem",
    ],
)
def test_urls(tmp_path: Path, url: str) -> None:
    job = load(tmp_path, {"url": url})
    assert job.config.target.jdbc is not None
    assert job.config.target.jdbc.url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("jdbc:mysql://db/lake?password=hunter2", "is of mysql, and PostgreSQL is the only"),
        ("jdbc:oracle:thin:u/hunter2@db", "is of oracle, and PostgreSQL is the only"),
        ("jdbc:postgresql://u:hunter2@db/lake", "must be .*, without user and password"),
        ("jdbc:postgresql:lake", "must be jdbc:postgresql://host:port/database"),
        ("postgresql://u:hunter2@db/lake", "must be jdbc:postgresql://host:port/database"),
        ("hunter2", "must be jdbc:postgresql://host:port/database"),
        (f"{URL}?password=hunter2", "must not hold a password; user_env and password_env do"),
        (f"{URL}?%70assword=hunter2", "must not hold a password"),
        (f"{URL}?user=hunter2", "must not hold a user"),
        (f"{URL}?PASSWORD=hunter2", "must not hold a password"),
        (f"{URL}?sslmod=require", "has the parameter 'sslmod', .*; did you mean 'sslmode'?"),
        (f"{URL}?socketFactory=Evil&socketFactoryArg=hunter2", "has the parameter 'socketFactory'"),
        (f"{URL}?sslfactory=Evil", "has the parameter 'sslfactory', which a job may not set"),
        (f"{URL}?currentSchema=x", "has the parameter 'currentSchema'"),
    ],
)
def test_urls_that_are_refused_and_not_shown(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"target\.jdbc\.url: {message}") as raised:
        load(tmp_path, {"url": url})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("jdbc", "target", "message"),
    [
        ({"user_env": None}, {}, "exactly one of user_env and user_file"),
        ({"user_file": "/run/user"}, {}, "exactly one of user_env and user_file"),
        ({"password_env": "P", "password_file": "/run/p"}, {}, "one of password_env and"),
        ({"password": "hunter2"}, {}, r"unknown key 'target\.jdbc\.password'; did you mean 'p"),
        ({"max_connections": 0}, {}, r"max_connections: .* greater than or equal to 1"),
        ({"staging_schema": "a.b"}, {}, r"staging_schema: 'a\.b' must be one name"),
        ({"replace_all": True}, {}, "replace_all belongs to mode overwrite without partition_by"),
        ({}, {"mode": "overwrite"}, "mode overwrite needs partition_by"),
        ({}, {"table": "a.b.c"}, r"table 'a\.b\.c' must be \[schema\.\]table"),
        ({}, {"table": 'x"; DROP TABLE y'}, r"must be \[schema\.\]table"),
        ({}, {"table": "é"}, r"must be \[schema\.\]table .* in \"double quotes\""),
        ({}, {"table": "x" * 64}, "has more than 63 bytes, which PostgreSQL cuts"),
        ({}, {"format": "orc"}, "format is for tables of files, and jdbc has none"),
        ({}, {"writer": "jvm"}, "writer is for tables of files, and jdbc has none"),
    ],
)
def test_what_does_not_fit(
    tmp_path: Path, jdbc: dict[str, Any], target: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        load(tmp_path, jdbc, **target)
    assert "hunter2" not in str(raised.value)


def test_user_and_password_come_from_where_the_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    job = load(tmp_path, {"user_env": "SCORES_USER", "password_file": str(secret)})
    jdbc = job.config.target.jdbc
    assert jdbc is not None
    with pytest.raises(ConfigError, match="user: environment variable SCORES_USER is not set"):
        jdbc.credentials()
    monkeypatch.setenv("SCORES_USER", "")
    with pytest.raises(ConfigError, match="environment variable SCORES_USER is empty"):
        jdbc.credentials()
    monkeypatch.setenv("SCORES_USER", "scorer")
    with pytest.raises(ConfigError, match=r"password: .*/secret cannot be read .*: No such file"):
        jdbc.credentials()
    secret.write_bytes(b"\xffhunter2")
    with pytest.raises(ConfigError, match="secret is not UTF-8") as raised:
        jdbc.credentials()
    assert "hunter2" not in str(raised.value)
    secret.write_text("hunter2 \r\n", encoding="utf-8", newline="")
    assert jdbc.credentials() == {"user": "scorer", "password": "hunter2 "}
    assert "hunter2" not in repr(job)
    assert "hunter2" not in str(job.config.model_dump())
