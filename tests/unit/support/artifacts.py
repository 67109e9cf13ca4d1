"""What a manifest says of a model that is stored as a program."""

from __future__ import annotations

from spark_infer.bundle import Artifact

EXPORTED = {"base": Artifact(format="export")}
