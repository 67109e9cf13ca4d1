"""A job that tests change and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession

import spark_infer as si


class RunnableJob:
    """A job whose file is written anew for each run.

    Args:
        spark: The session.
        folder: Where its file and its reports go.
        bundle: The model.
        **config: What its file says beside.
    """

    def __init__(self, spark: SparkSession, folder: Path, bundle: si.Bundle, **config: Any) -> None:
        self.spark = spark
        self.folder = folder
        self.config: dict[str, Any] = {
            "name": "target",
            "parameters": {"date": {"type": "date", "default": "2018-08-08"}},
            "key": ["id"],
            "bundle": {"path": str(bundle.path)},
            "report": {"path": str(folder / "reports")},
            **config,
        }

    def load(self, settings: dict[str, Any] | None = None, **changes: Any) -> si.ScoringJob:
        target = self.config["target"] | changes.pop("target", {})
        config = self.config | changes | {"target": target}
        file = self.folder / "job.yaml"
        file.write_text(yaml.safe_dump({k: v for k, v in config.items() if v is not None}))
        return si.ScoringJob.load(file, settings=settings or {})

    def run(self, settings: dict[str, Any] | None = None, **changes: Any) -> si.RunReport:
        return self.load(settings, **changes).run(self.spark)
