"""What travels to the executors: a reference to a bundle, its bytes by broadcast."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pyspark import Broadcast, SparkContext, TaskContext
from pyspark.sql import SparkSession

from spark_infer._version import __version__
from spark_infer.backends.load import check_code
from spark_infer.bundle import Bundle, Signature
from spark_infer.engine import Layout, Predictor
from spark_infer.errors import RuntimeUnavailable
from spark_infer.metrics import Metrics
from spark_infer.model import BatchOptions
from spark_infer.model.options import check_options
from spark_infer.runtime import materialise, pack, shared_model

_log = logging.getLogger(__name__)
_broadcasts: dict[tuple[str, str], Broadcast[bytes]] = {}


@dataclass(frozen=True)
class BundleReference:
    """A bundle as tasks see it. Make one with ``BundleReference.share``.

    Attributes:
        digest: The bundle's digest.
        archive: Its files, sent to each executor once.
        options: How the tasks predict.
        allow_modules: Import paths that the bundle may name.
        version: Version of spark_infer on the driver.
        stochastic: Whether equal rows may get different predictions.
    """

    digest: str
    archive: Broadcast[bytes]
    options: BatchOptions
    allow_modules: tuple[str, ...]
    version: str
    stochastic: bool

    @classmethod
    def share(
        cls,
        spark: SparkSession,
        bundle: Bundle,
        options: BatchOptions | None = None,
        allow_modules: Sequence[str] = (),
    ) -> BundleReference:
        """Broadcast a bundle, once for each application however often it is used.

        Raises:
            BundleError: It runs code that allow_modules does not cover, or that is no torch module.
            RuntimeUnavailable: Its code is not in this Python, which is also that of the tasks.
            ConfigError: allow_modules is no list of import paths.
        """
        context = spark.sparkContext
        try:
            check_code(bundle, allow_modules)
        except RuntimeUnavailable as error:
            # The executors may have what this Python has not: they say so otherwise.
            if not context.getConf().contains("spark.executorEnv.PYTHONPATH"):
                if (context.master or "").partition("[")[0] == "local":
                    raise
                _log.warning("%s; a query fails unless the executors have it", error)
        return cls(
            bundle.digest,
            _broadcast(context, bundle),
            check_options(options),
            tuple(allow_modules),
            __version__,
            bundle.manifest.stochastic,
        )

    def predictor(
        self, signature: Signature, packed: Collection[str], metrics: Metrics
    ) -> Predictor:
        """Return a predictor in the running task, loading the model when this worker has not.

        Args:
            signature: How the columns arrive; its tensors are the bundle's.
            packed: Names of the scalar inputs that arrive as one list column.
            metrics: Where to count.

        Raises:
            RuntimeUnavailable: The executor lacks a library, the device, or this version.
        """
        if self.version != __version__:
            raise RuntimeUnavailable(
                f"the driver runs spark_infer {self.version}, this executor "
                f"{__version__}; install the same version on both"
            )
        task = TaskContext.get()
        with metrics.timed("load"):
            model = shared_model(
                self.digest,
                lambda: materialise(self.digest, lambda: self.archive.value),
                _placed(self.options, task),
                allow_modules=self.allow_modules,
            )
        layout = Layout(signature, frozenset(packed))
        return Predictor(model.model, layout, self.options, metrics=metrics, cache=model.cache)


def _broadcast(context: SparkContext, bundle: Bundle) -> Broadcast[bytes]:
    key = (f"{context.applicationId}-{os.getpid()}", bundle.digest)
    if key not in _broadcasts:
        _broadcasts[key] = context.broadcast(pack(bundle))
    return _broadcasts[key]


def _placed(options: BatchOptions, task: TaskContext | None) -> BatchOptions:
    """Resolve a device without a number to the task's GPU, and threads to its cores."""
    if task is None:
        return options
    device, threads = options.device, options.threads
    if device in ("cuda", "tensorrt") and "gpu" in task.resources():
        device = f"{device}:{task.resources()['gpu'].addresses[0]}"
    return dataclasses.replace(options, device=device, threads=threads or task.cpus())
