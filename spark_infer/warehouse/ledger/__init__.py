"""What is known of rows that were scored before: from which values, and by which bundle.

It stands in the target's own rows, so that it is published with them in one step: no run that is
killed leaves rows that the ledger does not know, nor a ledger that knows other rows.
"""

from __future__ import annotations

from spark_infer.warehouse.ledger.ledger import Ledger
from spark_infer.warehouse.ledger.watermark import above_watermark

__all__ = ["Ledger", "above_watermark"]
