"""What is a URI, what is a path, and what a place says."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from spark_infer.bundle.places import Place, as_place
from spark_infer.errors import BundleError, ConfigError
from tests.s3 import Bucket, s3_server


def place(value: Any) -> Path | Place:
    return as_place(value, name="a bundle", what="bundle", error=BundleError)


def remote(uri: str) -> Place:
    found = place(uri)
    assert isinstance(found, Place)
    return found


@pytest.mark.parametrize(
    "value", ["bundles/fraud", "/a b", "s3:/bucket", "a:b", "é", "c:\\x", ".", "x?y#z", "1://x"]
)
def test_what_is_no_uri_is_the_path_that_it_was(value: str) -> None:
    assert place(value) == Path(value)
    assert place(Path(value)) == Path(value)
    assert place(Path("s3://bucket")) == Path("s3:/bucket")


@pytest.mark.parametrize("value", [None, 5, "", "a\0b", b"s3://bucket"])
def test_what_is_neither_is_refused(value: Any) -> None:
    with pytest.raises(BundleError, match="a bundle must be a path, got"):
        place(value)


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_a_file_uri_is_a_local_path(tmp_path: Path, end: str) -> None:
    assert place(f"file://{tmp_path}/a%20b%23c{end}") == tmp_path / "a b#c"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file://host/x", "Unsupported hostname"),
        ("file://", "cannot be relative"),
        ("file:///", "cannot be relative"),
        ("file:///a/../b", "no path of a folder"),
        ("file:///a%0Ab", "no path of a folder"),
        ("file:///a b", "Cannot parse URI"),
    ],
)
def test_a_file_uri_that_is_none(uri: str, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        place(uri)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3a://bucket/x", r"begins with one of file, s3, .*; did you mean 's3'\?"),
        ("S3://bucket/x", r"did you mean 's3'\?"),
        ("http://host/x", "is a URI of unknown kind"),
        ("fsspec+file:///tmp", "is a URI of unknown kind"),
        ("s3://bucket/a#b", "%23 instead of #"),
        ("s3://bucket/a\nb", "has printable characters"),
    ],
)
def test_a_uri_that_no_file_system_has(uri: str, message: str) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        place(uri)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIA:hush@bucket/x",
        "s3://AKIA:hu/hush@bucket/x",
        "s3://AKIA:hu?hush@bucket/x",
        "s3a://AKIA:hush@bucket/x",
        "s3://bucket/x?secret_key=hush",
        "s3://bucket/x?region=a&access%5Fkey=hush",
        "abfs://folder@account.dfs.core.windows.net/x?client_secret=hush",
        "hdfs://user:hush@host/x",
    ],
)
def test_a_secret_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(BundleError, match="shows a secret") as caught:
        place(uri)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["hdfs://user@host:8020/x", "abfs://folder@account.dfs.core.windows.net/x"]
)
def test_a_user_is_no_secret(uri: str) -> None:
    assert str(place(uri)) == uri


def test_names_and_files_inside() -> None:
    folder = remote("s3://bucket/a/b%20c/?region=x&scheme=http")
    assert str(folder) == "s3://bucket/a/b%20c?region=x&scheme=http"
    assert folder.name == "b c"
    assert str(folder / "d #?.json") == "s3://bucket/a/b%20c/d%20%23%3F.json?region=x&scheme=http"
    assert remote("s3://bucket/").name == "bucket"


@pytest.mark.parametrize(
    "path", ["a/../b", "..", "a//b", "a/./b", "%2e%2e", "a%0Ab", "a/%2e%2e/b", "a%2F%2Fb"]
)
def test_a_path_that_no_folder_has(path: str) -> None:
    folder = remote(f"s3://bucket/{path}?endpoint_override=127.0.0.1:1")
    with pytest.raises(BundleError, match="is no path of a folder"):
        folder.files()


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://?region=x", "no path of a folder"),
        ("s3:///x?region=x", "Missing bucket name"),
        ("s3://bucket/x?regions=x", "Unexpected query parameter"),
        ("s3://[bucket/x?region=x", "Cannot parse URI"),
        ("s3://bucket/%zz?region=x", "Cannot parse URI"),
        ("s3://bucket/a b?region=x", "Cannot parse URI"),
    ],
)
def test_what_pyarrow_does_not_open(uri: str, message: str) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        remote(uri).files()
    assert not caught.value.transient


def test_what_is_written_is_listed_and_read(bucket: Bucket) -> None:
    folder = remote(bucket.uri("a%20b/folder"))
    folder.check_empty()
    content = os.urandom(3_000_000)
    folder.write("deep/file é", io.BytesIO(content))
    folder.write("empty", io.BytesIO())
    assert {name: seen.num_bytes for name, seen in folder.files().items()} == {
        "deep/file é": 3_000_000,
        "empty": 0,
    }
    assert folder.read("deep/file é", 3_000_000) == content
    for name in ("deep/file é", "empty"):
        copy = io.BytesIO()
        folder.copy(name, folder.files()[name].num_bytes, copy)
        assert copy.getvalue() == (content if name.startswith("deep") else b"")
    with pytest.raises(BundleError, match="has more than 2,999,999 bytes"):
        folder.read("deep/file é", 2_999_999)
    with pytest.raises(BundleError, match="something is there already"):
        folder.check_empty()
    assert "a b/folder/empty" in bucket.names()


@pytest.mark.parametrize("num_bytes", [0, 2, 4])
def test_a_file_of_another_size_is_refused(bucket: Bucket, num_bytes: int) -> None:
    bucket.put("x/file", b"123")
    target = io.BytesIO()
    with pytest.raises(BundleError, match="'file' changed while it was read"):
        remote(bucket.uri("x")).copy("file", num_bytes, target)
    assert len(target.getvalue()) <= num_bytes


@pytest.mark.parametrize("key", ["x", "x/a", "x/a/b"])
def test_a_place_that_is_taken(bucket: Bucket, key: str) -> None:
    bucket.put(key, b"1")
    with pytest.raises(BundleError, match="something is there already"):
        remote(bucket.uri("x")).check_empty()


@pytest.mark.parametrize("key", ["xy", "xy/a", "y", "x/"])
def test_a_place_beside_others_is_empty(bucket: Bucket, key: str) -> None:
    bucket.put(key)
    remote(bucket.uri("x")).check_empty()


def test_writing_is_tried_and_leaves_nothing(bucket: Bucket) -> None:
    remote(bucket.uri("reports")).check_writable(1000)
    assert not [key for key in bucket.names() if not key.endswith("/")]


CALLS: dict[str, Callable[[Place], object]] = {
    "list": Place.files,
    "read": lambda folder: folder.read("x", 1),
    "copy": lambda folder: folder.copy("x", 1, io.BytesIO()),
    "write": lambda folder: folder.write("x", io.BytesIO(b"1")),
    "try": lambda folder: folder.check_writable(1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_missing_bucket_is_wrong_input(bucket: Bucket, call: Callable[[Place], object]) -> None:
    # Words of a name do not say what went wrong.
    folder = remote(Bucket(bucket.port, "unavailable-timeout").uri("x"))
    with pytest.raises(
        BundleError, match=r"bundle s3://unavailable-timeout/x\?.*check the URI"
    ) as e:
        call(folder)
    assert not e.value.transient
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("call", [*CALLS.values(), Place.check_empty], ids=[*CALLS, "is empty"])
def test_a_key_that_may_not_is_wrong_input(
    bucket: Bucket, call: Callable[[Place], object], guarded_port: int
) -> None:
    with pytest.raises(BundleError, match="and what the user or the key that is used may") as e:
        call(remote(Bucket(guarded_port, "bucket").uri("x")))
    assert not e.value.transient


def test_no_key_is_wrong_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with answering(403) as port, pytest.raises(BundleError, match="ACCESS_DENIED") as caught:
        remote(Bucket(port, "bucket").uri("x")).files()
    assert not caught.value.transient


def test_a_busy_service_passes(bucket: Bucket) -> None:
    with answering(503) as port, pytest.raises(BundleError, match="try again later") as caught:
        remote(Bucket(port, "bucket").uri("x")).write("x", io.BytesIO(b"1"))
    assert caught.value.transient


def test_a_service_out_of_reach_passes(bucket: Bucket) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(BundleError, match="it is out of reach, try again later") as caught:
        remote(Bucket(port, "bucket").uri("x")).files()
    assert caught.value.transient


@pytest.fixture(scope="module")
def guarded_port() -> Iterator[int]:
    """A server that knows no key."""
    with s3_server(INITIAL_NO_AUTH_ACTION_COUNT="0") as port:
        yield port


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Start a server that answers everything so; give its port."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline()
            if self.parse_request():
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_error(status)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_the_error_is_that_of_its_owner(bucket: Bucket) -> None:
    missing = Bucket(bucket.port, "missing").uri("x")
    folder = as_place(missing, name="report.path", what="report.path", error=ConfigError)
    assert isinstance(folder, Place)
    with pytest.raises(ConfigError, match=r"report\.path s3://missing/x"):
        folder.check_writable(10)


def test_hdfs_without_hadoop_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    monkeypatch.setenv("HADOOP_HOME", "/nowhere")
    with pytest.raises(BundleError, match=r"bundle hdfs://127.0.0.1:1/x cannot be opened: "):
        remote("hdfs://127.0.0.1:1/x").files()
