"""A folder that pyarrow.fs opens by its URI."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote, unquote

from spark_infer.bundle.documents import as_path, shown
from spark_infer.errors import SparkInferError, nearest

SCHEMES = ("file", "s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")
"""What pyarrow.fs opens by a URI of its own."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SECRET = re.compile("key|secret|token|password|sig", re.IGNORECASE)
_PASSING = re.compile(
    r"NETWORK_CONNECTION|REQUEST_TIMEOUT|SLOW_DOWN|SERVICE_UNAVAILABLE|THROTTLING|INTERNAL_FAILURE"
    r"|HTTP status (429|5\d\d)|timed? ?out|unavailable|connection (failed|refused|reset)"
    r"|(couldn't|could not|failed to|unable to) (connect|resolve)",
    re.IGNORECASE,
)
"""How the file systems say that a service is out of reach: their errors have no code."""

_PIECE = 1 << 24
_PROBE = ".spark_infer-probe"


class Seen(NamedTuple):
    """A file as it was listed."""

    num_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Place:
    """A folder behind a URI. Make one with ``as_place``; nothing is opened before it is needed.

    Its methods raise ``error`` with one sentence that names the URI, transient where the service
    is out of reach.

    Attributes:
        uri: The URI, without a slash at its end.
        what: What lies there, for messages.
        error: What is raised.
    """

    uri: str
    what: str
    error: type[SparkInferError]

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> Place:
        """Return the place of a file or folder inside."""
        address, query, options = self.uri.partition("?")
        return Place(f"{address}/{quote(name)}{query}{options}", self.what, self.error)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return unquote(self.uri.partition("?")[0].rpartition("/")[2])

    def files(self) -> dict[str, Seen]:
        """List the files in the folder and below it, by their path inside, sorted."""
        from pyarrow.fs import FileSelector, FileType

        filesystem, root = self._opened
        with self._explained("listed"):
            infos = filesystem.get_file_info(FileSelector(root, recursive=True))
        found: dict[str, Seen] = {}
        for info in infos:
            if not info.path.startswith(f"{root}/"):
                raise self.error(f"{self.what} {self}: {shown(info.path)} is listed, outside of it")
            if info.type == FileType.File:
                name = info.path[len(root) + 1 :]
                if name in found:
                    raise self.error(f"{self.what} {self}: {shown(name)} is listed twice")
                found[name] = Seen(info.size, info.mtime_ns or 0)
            elif info.type != FileType.Directory:
                raise self.error(f"{self.what} {self}: {shown(info.path)} is no plain file")
        return dict(sorted(found.items()))

    def check_empty(self) -> None:
        """Raise ``error`` unless nothing is there yet."""
        from pyarrow.fs import FileSelector, FileType

        filesystem, root = self._opened
        with self._explained("listed"):
            itself = filesystem.get_file_info(root)
            inside = filesystem.get_file_info(FileSelector(root, allow_not_found=True))
        if inside or itself.type not in (FileType.Directory, FileType.NotFound):
            raise self.error(
                f"{self.what} {self}: something is there already, and nothing behind a URI is "
                "replaced, as that takes more than one step; choose another place, or remove it"
            )

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return the content of a file that has at most ``max_bytes``."""
        with self._stream(name) as stream, self._explained(f"read ({shown(name)})"):
            content: bytes = stream.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise self.error(f"{self.what} {self}: {name} has more than {max_bytes:,} bytes")
        return content

    def copy(self, name: str, num_bytes: int, target: BinaryIO) -> None:
        """Write the content of a file that has exactly ``num_bytes`` into another.

        Raises:
            OSError: ``target`` cannot be written.
        """
        left = num_bytes
        with self._stream(name) as stream:
            while True:
                with self._explained(f"read ({shown(name)})"):
                    piece = stream.read(_PIECE)
                left -= len(piece)
                if left < 0 or not piece:
                    break
                target.write(piece)
        if left != 0:
            raise self.error(f"{self.what} {self}: {shown(name)} changed while it was read")

    def write(self, name: str, content: BinaryIO) -> None:
        """Write a file. Where the store is one of objects, it is there whole or not at all."""
        filesystem, root = self._opened
        with (
            self._explained(f"written ({shown(name)})"),
            filesystem.open_output_stream(f"{root}/{name}") as stream,
        ):
            while piece := content.read(_PIECE):
                stream.write(piece)

    def check_writable(self, num_bytes: int) -> None:
        """Prove that ``num_bytes`` can be written, by writing a file, which is removed again.

        Where files may be written and not removed, it stays.
        """
        self.write(_PROBE, io.BytesIO(b" " * num_bytes))
        filesystem, root = self._opened
        with contextlib.suppress(OSError):
            filesystem.delete_file(f"{root}/{_PROBE}")

    @property
    def path(self) -> str:
        """Path of the folder in its file system."""
        return self._opened[1]

    @functools.cached_property
    def _opened(self) -> tuple[Any, str]:
        """File system, and path of the folder in it."""
        with self._explained("opened"):
            from pyarrow.fs import FileSystem

            filesystem, path = FileSystem.from_uri(self.uri)
        if not path.isprintable() or {"", ".", ".."} & set(path.removeprefix("/").split("/")):
            raise self.error(f"{self.what} {self}: {shown(path)} is no path of a folder")
        return filesystem, path

    @contextmanager
    def _stream(self, name: str) -> Iterator[Any]:
        filesystem, root = self._opened
        with self._explained(f"read ({shown(name)})"):
            stream = filesystem.open_input_stream(f"{root}/{name}")
        with contextlib.closing(stream):
            yield stream

    @contextmanager
    def _explained(self, done: str) -> Iterator[None]:
        """Turn what pyarrow says into one sentence."""
        import pyarrow as pa

        try:
            yield
        except (OSError, ValueError, ImportError, pa.ArrowException) as error:
            said = " ".join(str(error).split())
            # Paths are quoted.
            passes = bool(_PASSING.search(re.sub("'[^']*'", "", said)))
            advice = "check the URI, and what the user or the key that is used may do"
            if passes:
                advice = "it is out of reach, try again later"
            elif isinstance(error, FileNotFoundError):
                advice = "check the URI; where it is being copied or uploaded, wait for the end"
            elif "load lib" in said:
                advice = "a URI of HDFS needs Hadoop here: JAVA_HOME, HADOOP_HOME and CLASSPATH"
            raise self.error(
                f"{self.what} {self} cannot be {done}: {said[:300]}; {advice}", transient=passes
            ) from None


def as_place(
    value: object,
    *,
    name: str,
    what: str,
    error: type[SparkInferError],
    or_else: str = "",
) -> Path | Place:
    """Return a local path, or a folder behind a URI, that a user gave.

    Text that begins with a scheme and ``://`` is a URI; ``file://`` is a local path.

    Args:
        value: What was given.
        name: What it is, for the message when it is neither.
        what: What lies there, for the messages of a ``Place``.
        error: What is raised.
        or_else: What else it could be, for the message.

    Raises:
        error: It is neither, or a URI that shows a secret or that no file system has.
    """
    if not isinstance(value, str) or not is_uri(value, name=name, error=error):
        return as_path(value, name=name, error=error, or_else=or_else)
    address, query, options = value.partition("?")
    scheme, _, rest = address.partition("://")
    place = Place(f"{scheme}://{rest.rstrip('/')}{query}{options}", what, error)
    return Path(place.path) if scheme == "file" else place


def is_uri(text: str, *, name: str, error: type[SparkInferError]) -> bool:
    """Return whether text is a URI, and no local path.

    Raises:
        error: It is one that shows a secret, or that no file system has.
    """
    if not _URI.match(text):
        return False
    if _has_secret(text):
        raise error(
            f"{name} is a URI that shows a secret, which would stand in logs and reports; leave it "
            "out, and give it by the environment, such as AWS_ACCESS_KEY_ID"
        )
    scheme = text.partition(":")[0]
    if scheme not in SCHEMES:
        raise error(
            f"{name} {shown(text)} is a URI of unknown kind; it begins with one of "
            f"{', '.join(SCHEMES)}{nearest(scheme, SCHEMES)}"
        )
    if not text.isprintable() or "#" in text:
        raise error(
            f"{name} {shown(text)} is no URI: it has printable characters, and %23 instead of #"
        )
    return True


def _has_secret(uri: str) -> bool:
    user = uri.partition("://")[2].rpartition("@")[0]
    named = (option.partition("=")[0] for option in uri.partition("?")[2].split("&"))
    return ":" in user or any(_SECRET.search(unquote(name)) for name in named)
