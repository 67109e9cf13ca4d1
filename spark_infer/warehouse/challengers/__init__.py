"""The challengers of a job: loaded, checked, run beside the champion, told of."""

from __future__ import annotations

from spark_infer.warehouse.challengers.challengers import Challengers
from spark_infer.warehouse.challengers.features import with_all_features

__all__ = ["Challengers", "with_all_features"]
