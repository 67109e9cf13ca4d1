"""What is shown of a model before a bundle of it exists.

Rows are batched with whatever rows come along, padded to the longest of them, predicted once for
all their repeats, and run by a stored copy of the model. Each is only right for a model that
allows it, so each is tried: a model that shows otherwise is refused with the row that shows it.
"""

from __future__ import annotations

from spark_infer.engine.proof.proof import Proof

__all__ = ["Proof"]
