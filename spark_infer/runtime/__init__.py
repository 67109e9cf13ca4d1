"""Where the loaded model lives: materialise a bundle on an executor, load it once, keep it."""

from __future__ import annotations

from spark_infer.runtime.archive import pack
from spark_infer.runtime.materialise import materialise
from spark_infer.runtime.models import LoadedModel, shared_model

__all__ = ["LoadedModel", "materialise", "pack", "shared_model"]
