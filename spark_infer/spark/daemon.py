"""The process that Spark forks its Python workers from, with torch loaded before the first fork.

Importing torch costs a new worker more than a second; forked workers have it at once and share
its memory. Set as ``spark.python.daemon.module`` by ``session``. Nothing here starts a thread:
threads do not survive a fork.
"""

from __future__ import annotations

import contextlib
import gc

from pyspark.daemon import manager


def preload() -> None:
    """Import what every worker needs. Without torch the worker itself says what is missing."""
    with contextlib.suppress(ImportError):
        import spark_infer.backends.torch.backend
        import spark_infer.backends.torch.cuda
        import spark_infer.backends.torch.module
        import spark_infer.backends.torch.program.graph
    import spark_infer.spark.dataframe  # noqa: F401 - importing it is all

    gc.freeze()


if __name__ == "__main__":
    preload()
    manager()
