"""The challengers of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pyspark import Accumulator
from pyspark.sql import SparkSession

from spark_infer.bundle import Bundle
from spark_infer.model import BatchOptions
from spark_infer.spark.challengers import (
    Challenger,
    Disagreement,
    about,
    column_name,
    comparable,
)
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.tasks.tally import Tally
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.config.challenger import ChallengerConfig
from spark_infer.warehouse.gate import check_compared
from spark_infer.warehouse.preflight import check_executor


@dataclass(frozen=True)
class Challengers:
    """The challengers of a job.

    Attributes:
        config: What the job file says of each.
        bundles: The bundle of each.
        compared: Of each, its outputs that the champion has as well, and what they are.
    """

    config: Mapping[str, ChallengerConfig] = field(default_factory=dict)
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    compared: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, config: JobConfig, champion: Bundle) -> Challengers:
        """Load the bundles.

        Raises:
            BundleError: One is damaged, or another than the job file pins.
            ConfigError: A check of the gate is about an output that cannot be compared.
        """
        bundles = {}
        for name, given in config.challengers.items():
            with about(name):
                bundles[name] = Bundle.load(given.path, digest=given.digest)
        compared = {
            name: comparable(champion.signature, bundle.signature)
            for name, bundle in bundles.items()
        }
        check_compared(config.gate, compared)
        return cls(config.challengers, bundles, compared)

    @property
    def columns(self) -> list[str]:
        """The columns of the target that are theirs."""
        return [
            column_name(name, output.name)
            for name, bundle in self.bundles.items()
            for output in bundle.signature.outputs
            if not self.config[name].shadow
        ]

    def check_executor(self, spark: SparkSession, options: BatchOptions) -> None:
        """Load each in one task, before any data is read. Errors are those of the champion."""
        for name, bundle in self.bundles.items():
            with about(name):
                allowed = self.config[name].allow_modules
                check_executor(spark, bundle, _forgiving(options), allowed)

    def shared(self, spark: SparkSession, options: BatchOptions) -> Sequence[Challenger]:
        """Return them as the tasks get them."""
        found = []
        for name, bundle in self.bundles.items():
            config = self.config[name]
            with about(name):
                reference = BundleReference.share(
                    spark, bundle, _forgiving(options), config.allow_modules
                )
            found.append(
                Challenger(
                    name,
                    reference,
                    bundle.signature,
                    self.compared[name],
                    config.tolerance,
                    is_published=not config.shadow,
                )
            )
        return found

    def to_json(self, tally: Accumulator[Tally[Disagreement]] | None) -> list[dict[str, Any]]:
        """Return what a report says of each.

        Args:
            tally: What the tasks have counted; None where no row was scored.
        """
        found = {} if tally is None else tally.value.total()
        return [
            {
                "name": name,
                "bundle": {"path": config.path, **self._identity(name)},
                "shadow": config.shadow,
                "tolerance": config.tolerance,
                "disagreement": None
                if tally is None
                else found.get(name, Disagreement()).to_json(self.compared[name]),
            }
            for name, config in self.config.items()
        ]

    def _identity(self, name: str) -> dict[str, str]:
        bundle = self.bundles[name]
        return {"name": bundle.name, "digest": bundle.digest}


def _forgiving(options: BatchOptions) -> BatchOptions:
    """Return the options of a challenger, of which no row that fails stops a run."""
    return replace(options, on_error="reject", max_rejected_share=1.0)
