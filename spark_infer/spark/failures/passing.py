"""What passes by itself: the same run may well succeed when it is started again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from py4j.protocol import Py4JJavaError, Py4JNetworkError

from spark_infer.spark.failures.causes import Cause
from spark_infer.spark.failures.sentence import ours

_KINDS = re.compile(
    r"java\.io\.(?:EOFException|FileNotFoundException|InterruptedIOException)"
    r"|java\.nio\.file\.NoSuchFileException"
    r"|java\.nio\.channels\.Closed\w*Exception"
    r"|java\.net\.\w+Exception"
    r"|java\.util\.concurrent\.TimeoutException"
    r"|java\.sql\.SQL(?:Transient|Recoverable|NonTransientConnection)\w*"
    r"|org\.apache\.spark\.(?:SparkFileNotFoundException|shuffle\.\w*FetchFailed\w*)"
    r"|org\.apache\.spark\.rpc\.Rpc\w*Exception"
    r"|org\.apache\.thrift\.transport\.TTransportException"
)
_WORDS = re.compile(
    r"Python worker exited unexpectedly|ExecutorLostFailure|Executor heartbeat timed out"
    r"|Remote RPC client disassociated|[Mm]aster removed our application"
    r"|All masters are unresponsive|no executors? (?:are|is) (?:left|alive)"
    r"|SparkContext (?:was|has been) (?:shut ?down|stopped)|stopped SparkContext"
    r"|No space left on device|Disk quota exceeded|Too many open files"
    r"|underlying files have been updated"
    r"|Connection (?:refused|reset|timed out)|Could not connect to meta ?store"
    # The driver of PostgreSQL, whose exceptions are of one class.
    r"|terminating connection|connection attempt failed|connection has been closed|database system "
    r"is (?:starting up|shutting down|in recovery)|too many clients|connection slots|lock timeout"
    r"|deadlock detected|could not extend file"
)
_CONDITION = re.compile(r"(\[[A-Z][A-Z0-9_.]*\])(?: |$)")
_PASSING_CONDITION = "[FAILED_READ_FILE.FILE_NOT_EXIST]"
_STATE = re.compile(r"SQLSTATE: (\w{5})")
_PASSING_STATES = ("08", "53", "57")
_QUERY = "\n== "


def is_passing(error: BaseException, causes: Sequence[Cause]) -> bool:
    """Return whether a worker, an executor, a file or a service was lost, or a disk is full."""
    if is_jvm_gone(error):
        return True
    if raised := ours(causes):
        return raised.is_passing
    return any(_KINDS.fullmatch(cause.kind) or _says_so(cause.message) for cause in causes)


def _says_so(message: str) -> bool:
    states = _STATE.findall(message.partition(_QUERY)[0])
    if states and states[-1].startswith(_PASSING_STATES):
        return True
    # Where Spark names a condition, the rest quotes values, expressions and names.
    if condition := _CONDITION.match(message):
        return condition[1] == _PASSING_CONDITION
    return _WORDS.search(message) is not None


def is_jvm_gone(error: BaseException) -> bool:
    """Return whether the driver's JVM does not answer any more."""
    return isinstance(error, Py4JNetworkError | ConnectionError) and not isinstance(
        error, Py4JJavaError
    )
