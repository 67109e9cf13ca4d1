"""File systems that Spark reads from, as pyarrow opens them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spark_infer.spark.scan.refused import NotDirect

_SIMPLE = (
    "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider",
    "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
)
"""Hadoop's ways to log in that are nothing but a key, and that a worker knows therefore."""


@dataclass(frozen=True)
class Store:
    """A file system, such that a task can open it.

    Attributes:
        kind: ``local`` or ``s3``.
        options: Arguments of pyarrow's file system. They hold keys, and go where Hadoop's
            configuration goes, which holds them too.
    """

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, scheme: str, bucket: str, hadoop: Any) -> Store:
        """Return the store of a URI as Hadoop is configured to open it.

        Args:
            scheme: The URI's.
            bucket: Its authority.
            hadoop: Hadoop's configuration, in the JVM.

        Raises:
            NotDirect: The workers do not know how to open it.
        """
        if scheme == "file" and not bucket:
            return cls("local")
        if scheme == "s3a":
            return cls("s3", _s3_options(bucket, hadoop))
        raise NotDirect(f"the files are behind {scheme}://, which the workers do not open")

    def open(self) -> Any:
        """Return pyarrow's file system."""
        from pyarrow import fs

        if self.kind == "local":
            return fs.LocalFileSystem()
        return fs.S3FileSystem(**self.options)

    def path(self, bucket: str, path: str) -> str:
        """Return the path of a file in pyarrow's file system."""
        return path if self.kind == "local" else f"{bucket}{path}"


def _s3_options(bucket: str, hadoop: Any) -> dict[str, Any]:
    def setting(name: str) -> str | None:
        found = hadoop.get(f"fs.s3a.bucket.{bucket}.{name}") or hadoop.get(f"fs.s3a.{name}")
        return str(found).strip() if found else None

    key, secret = setting("access.key"), setting("secret.key")
    if key is None or secret is None:
        raise NotDirect("Hadoop's configuration has no key for S3 that the workers could use")
    providers = setting("aws.credentials.provider") or ""
    first = providers.replace("\n", ",").split(",")[0].strip()
    if first and first not in _SIMPLE:
        raise NotDirect(f"Hadoop logs in to S3 by {first.rpartition('.')[2]}")
    for name in ("encryption.algorithm", "assumed.role.arn", "proxy.host"):
        if setting(name):
            raise NotDirect(f"fs.s3a.{name} is set, which the workers do not know")
    options: dict[str, Any] = {"access_key": key, "secret_key": secret}
    if token := setting("session.token"):
        options["session_token"] = token
    if region := setting("endpoint.region"):
        options["region"] = region
    if endpoint := setting("endpoint"):
        scheme, _, address = endpoint.rpartition("://")
        plain = setting("connection.ssl.enabled") == "false"
        options["scheme"] = scheme or ("http" if plain else "https")
        options["endpoint_override"] = address
        options.setdefault("region", "us-east-1")
        options["force_virtual_addressing"] = setting("path.style.access") != "true"
    return options
