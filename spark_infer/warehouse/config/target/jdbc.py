"""The database that has a job's target, and who writes there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from pydantic import Field, field_validator, model_validator

from spark_infer.errors import ConfigError, nearest
from spark_infer.warehouse.values import Section
from spark_infer.warehouse.values.identifiers import identifiers

_URL = re.compile(r"jdbc:postgresql://[^/?#@\s]+/[^/?#@\s]+(?:\?([^#\s]*))?")
_KIND = re.compile(r"jdbc:([a-z0-9]{1,20}):")
_PARAMETERS = (
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslNegotiation", "channelBinding"),
    *("gssEncMode", "connectTimeout", "loginTimeout", "socketTimeout", "tcpKeepAlive"),
    *("targetServerType", "loadBalanceHosts", "hostRecheckSeconds"),
)
"""What a URL may set: how to reach the server. Others load classes or change the session."""
_MAX_SECRET_BYTES = 10_000


class JdbcConfig(Section):
    """A database behind JDBC: PostgreSQL. Its driver is in Spark's class path."""

    url: str = Field(
        description="jdbc:postgresql://host:port/database, with parameters of the driver that say "
        "how to reach the server (sslmode=verify-full). Neither user nor password stand in it.",
    )
    user_env: str | None = Field(None, description="Environment variable that holds the user.")
    user_file: str | None = Field(None, description="File that holds the user, instead.")
    password_env: str | None = Field(
        None, description="Environment variable that holds the password, where one is needed."
    )
    password_file: str | None = Field(None, description="File that holds the password, instead.")
    staging_schema: str | None = Field(
        None,
        description="Schema of the tables in which rows are staged, where the user may create "
        "tables. Default: that of the target.",
    )
    replace_all: bool = Field(
        False,
        description="Of mode overwrite without partition_by: whether all rows of the table are "
        "replaced by those of the run, in one transaction.",
    )
    max_connections: int = Field(
        16,
        ge=1,
        description="The most connections that write at once, and so the most tasks that score.",
    )
    lock_timeout_seconds: int = Field(
        300,
        ge=1,
        description="How long the run waits for another that has locked the table; then it ends "
        "with exit code 75, and the table is as it was.",
    )

    @field_validator("url")
    @classmethod
    def _is_of_postgresql(cls, value: str) -> str:
        # The text is not shown: it may have a password in it.
        found = _URL.fullmatch(value)
        if found is None:
            kind = _KIND.match(value)
            if kind and kind[1] != "postgresql":
                raise ValueError(
                    f"is of {kind[1]}, and PostgreSQL is the only database that is tested; write "
                    "to that (jdbc:postgresql://host:port/database), or to a table of a catalog"
                )
            raise ValueError(
                "must be jdbc:postgresql://host:port/database, without user and password, which "
                "user_env and password_env name"
            )
        for pair in filter(None, (found[1] or "").split("&")):
            name = unquote(pair.partition("=")[0])
            if name.lower() in ("user", "password"):
                raise ValueError(f"must not hold a {name.lower()}; user_env and password_env do")
            if name not in _PARAMETERS:
                hint = nearest(name, _PARAMETERS) or f"; known are {', '.join(_PARAMETERS)}"
                raise ValueError(f"has the parameter {name!r}, which a job may not set{hint}")
        return value

    @field_validator("staging_schema")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None:
            identifiers(value, most=1)
        return value

    @model_validator(mode="after")
    def _has_one_user(self) -> JdbcConfig:
        if (self.user_env is None) == (self.user_file is None):
            raise ValueError("give exactly one of user_env and user_file")
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("give one of password_env and password_file")
        return self

    def credentials(self) -> dict[str, str]:
        """Return the driver's properties ``user`` and, where there is one, ``password``.

        Raises:
            ConfigError: They are not where the job file says; no message holds them.
        """
        found = {"user": _secret("user", self.user_env, self.user_file)}
        if self.password_env is not None or self.password_file is not None:
            found["password"] = _secret("password", self.password_env, self.password_file)
        return found


def _secret(what: str, variable: str | None, file: str | None) -> str:
    if variable is not None:
        value, where = os.environ.get(variable), f"environment variable {variable}"
        missing = f"is not set (target.jdbc.{what}_env)"
    else:
        assert file is not None
        value, where = None, file
        missing = f"cannot be read (target.jdbc.{what}_file)"
        try:
            with Path(file).open(encoding="utf-8") as opened:
                value = opened.read(_MAX_SECRET_BYTES).removesuffix("\n").removesuffix("\r")
        except OSError as error:
            missing = f"cannot be read (target.jdbc.{what}_file): {error.strerror}"
        except UnicodeDecodeError:
            missing = f"is not UTF-8 (target.jdbc.{what}_file)"
    if value is None:
        raise ConfigError(f"the database's {what}: {where} {missing}")
    if not value:
        raise ConfigError(f"the database's {what}: {where} is empty (target.jdbc.{what}_*)")
    return value
