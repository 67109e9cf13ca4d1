"""The process that Spark forks its Python workers from, with torch loaded before the first fork.

Importing torch costs a new worker more than a second; forked workers have it at once and share
its memory. Set as ``spark.python.daemon.module`` by ``session``. Nothing here starts a thread:
threads do not survive a fork. Random numbers would survive it: each worker is seeded anew, or all
would draw the same.
"""

from __future__ import annotations

import contextlib
import gc
import os

import numpy as np
from pyspark.daemon import manager


def preload() -> None:
    """Import what every worker needs. Without torch the worker itself says what is missing."""
    with contextlib.suppress(ImportError):
        import spark_infer.backends.torch.backend
        import spark_infer.backends.torch.module.format
        import spark_infer.backends.torch.program.format

        os.register_at_fork(after_in_child=spark_infer.backends.torch.backend.seed_anew)
    os.register_at_fork(after_in_child=np.random.seed)
    import spark_infer.spark.dataframe

    gc.freeze()


if __name__ == "__main__":
    preload()
    manager()
