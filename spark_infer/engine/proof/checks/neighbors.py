"""Whether a model's answer to a row depends on the rows beside it, in batches of one shape."""

from __future__ import annotations

import numpy as np

from spark_infer.backends import Backend
from spark_infer.bundle import Signature
from spark_infer.engine.proof.advice import run_or_refuse
from spark_infer.engine.proof.answers import Trial, accepted
from spark_infer.engine.proof.probe import NUM_ALIKE
from spark_infer.engine.proof.trials import Shown
from spark_infer.engine.proof.words import shown_row
from spark_infer.engine.proof.yardstick import Yardstick
from spark_infer.errors import SignatureError


def check_neighbors(
    model: Backend, first: Shown, signature: Signature, yardstick: Yardstick
) -> None:
    """Compare batches of one shape, whose sums run in one order, so that little may differ.

    Args:
        model: The model.
        first: Rows of the probe.
        signature: The model's signature.
        yardstick: How little.

    Raises:
        SignatureError: The answers to one row differ.
    """
    alike = accepted(first.decoded)
    alike = alike[alike < NUM_ALIKE]
    half = (len(alike) - 1) // 2
    if half < 1:
        return
    beside = [np.append(alike[:1], others) for others in (alike[1:][:half], alike[1:][-half:])]
    trials = [Trial(rows) for rows in beside]
    ones, others = (run_or_refuse(model, first.decoded, trial, first.source) for trial in trials)
    if found := yardstick.difference(ones[0], others[0], signature.outputs):
        output, one, other = found
        raise SignatureError(
            f"the bundle is not saved: what the model makes of a row depends on the rows "
            f"beside it, the row {shown_row(first.source, int(alike[0]))}: {output!r} is {one} "
            f"beside some rows and {other} beside others; let forward() treat each row by "
            "itself, or pass row_independent=False to run rows one by one"
        )
