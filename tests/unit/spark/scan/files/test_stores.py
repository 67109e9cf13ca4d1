"""Which file systems the workers open, as Hadoop is configured to open them."""

from __future__ import annotations

import pytest

pytest.importorskip("pyspark")

from typing import Any

from spark_infer.spark.scan.files.stores import Store
from spark_infer.spark.scan.refused import NotDirect

KEYS = {"fs.s3a.access.key": "ours", "fs.s3a.secret.key": "hidden"}
HADOOP = "org.apache.hadoop.fs.s3a"


def options(**given: str) -> dict[str, Any]:
    """Return what pyarrow is told of bucket ``b``; ``__`` stands for a dot."""
    named = {f"fs.s3a.{name.replace('__', '.')}": value for name, value in given.items()}
    store = Store.of("s3a", "b", KEYS | named)
    assert store.kind == "s3"
    return dict(store.options)


def test_local_files() -> None:
    store = Store.of("file", "", {})
    assert store == Store("local")
    assert store.path("", "/a b/c%2F") == "/a b/c%2F"
    assert store.open().type_name == "local"


@pytest.mark.parametrize("scheme", ["hdfs", "s3", "s3n", "abfss", "gs", "viewfs", "null", "http"])
def test_other_file_systems(scheme: str) -> None:
    with pytest.raises(NotDirect, match=f"the files are behind {scheme}://"):
        Store.of(scheme, "b", KEYS)


def test_a_host_of_local_files() -> None:
    with pytest.raises(NotDirect, match="behind file://"):
        Store.of("file", "host", {})


def test_keys() -> None:
    assert options() == {"access_key": "ours", "secret_key": "hidden"}
    assert options(session__token="t", endpoint__region="eu-west-1") == {
        "access_key": "ours",
        "secret_key": "hidden",
        "session_token": "t",
        "region": "eu-west-1",
    }


def test_keys_do_not_show() -> None:
    assert "hidden" not in repr(Store.of("s3a", "b", KEYS))


def test_the_buckets_own_settings_come_first() -> None:
    found = options(bucket__b__access__key="theirs", bucket__c__secret__key="no")
    assert found == {"access_key": "theirs", "secret_key": "hidden"}


@pytest.mark.parametrize(
    ("given", "scheme", "address", "virtual"),
    [
        ({"endpoint": "http://localhost:9000"}, "http", "localhost:9000", True),
        ({"endpoint": "https://s3.example.org"}, "https", "s3.example.org", True),
        ({"endpoint": "s3.example.org"}, "https", "s3.example.org", True),
        ({"endpoint": "s3.example.org", "connection__ssl__enabled": "false"}, "http", None, True),
        ({"endpoint": "http://h:1", "path__style__access": "true"}, "http", "h:1", False),
    ],
)
def test_endpoints(given: dict[str, str], scheme: str, address: str | None, virtual: bool) -> None:
    found = options(**given)
    assert found["scheme"] == scheme
    assert found["endpoint_override"] == (address or given["endpoint"])
    assert found["force_virtual_addressing"] is virtual
    assert found["region"] == "us-east-1"


def test_paths_in_a_bucket() -> None:
    assert Store("s3", {}).path("b", "/a b/c") == "b/a b/c"


@pytest.mark.parametrize("missing", KEYS)
def test_no_key(missing: str) -> None:
    with pytest.raises(NotDirect, match="has no key for S3"):
        Store.of("s3a", "b", {name: value for name, value in KEYS.items() if name != missing})


@pytest.mark.parametrize("known", ["Simple", "TemporaryAWS"])
def test_providers(known: str) -> None:
    name = {"Simple": "SimpleAWSCredentialsProvider"}.get(known, "TemporaryAWSCredentialsProvider")
    assert options(aws__credentials__provider=f"{HADOOP}.{name},\n other.Provider")
    with pytest.raises(NotDirect, match="logs in to S3 by AssumedRoleCredentialProvider"):
        options(aws__credentials__provider=f"{HADOOP}.auth.AssumedRoleCredentialProvider,{name}")


@pytest.mark.parametrize("name", ["encryption.algorithm", "assumed.role.arn", "proxy.host"])
def test_settings_that_the_workers_do_not_know(name: str) -> None:
    with pytest.raises(NotDirect, match=f"fs.s3a.{name} is set"):
        options(**{name: "x"})
