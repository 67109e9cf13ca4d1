"""An S3-compatible server on loopback, for tests."""

from __future__ import annotations

import http.client
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

# It ends with its standard input, so also when the tests are killed.
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
# Nothing looks at the signature, but objects are private.
_SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20180808/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=none"
}
_numbers = itertools.count()


@dataclass(frozen=True)
class Bucket:
    """A bucket of a server. Requests go out as they are written: no client cleans the keys."""

    port: int
    name: str

    def uri(self, key: str, **options: str) -> str:
        given = {"endpoint_override": f"127.0.0.1:{self.port}", "scheme": "http", **options}
        return f"s3://{self.name}/{key}?" + "&".join(f"{k}={v}" for k, v in given.items())

    def put(self, key: str, content: bytes = b"") -> None:
        self._request("PUT", key, content)

    def get(self, key: str) -> bytes:
        return self._request("GET", key)

    def delete(self, key: str) -> None:
        self._request("DELETE", key)

    def names(self) -> list[str]:
        text = self._request("GET", "").decode()
        return sorted(part.partition("</Key>")[0] for part in text.split("<Key>")[1:])

    def _request(self, method: str, key: str, content: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            path = f"/{self.name}/{quote(key, safe='')}"
            connection.request(method, path, content, _SIGNED)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status < 300, (method, key, answer.status, body)
            return body
        finally:
            connection.close()


@contextmanager
def s3_server(**environment: str) -> Iterator[int]:
    """Start a server; give its port. It ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.terminate()
        process.wait()
        process.stdout.close()


def new_bucket(port: int) -> Bucket:
    """Make a bucket that nobody else has."""
    bucket = Bucket(port, f"bucket-{os.getpid()}-{next(_numbers)}")
    bucket.put("")
    return bucket
