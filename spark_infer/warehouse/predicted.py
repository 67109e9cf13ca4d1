"""The rows of a run with what its model, and its challengers, predict of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spark_infer.bundle import Bundle
from spark_infer.spark.dataframe import predict_prepared
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.scan import explain
from spark_infer.spark.tasks.tally import tally_accumulator
from spark_infer.warehouse.rows.lineage import with_lineage

if TYPE_CHECKING:
    from spark_infer.warehouse.run import Run


def predicted_by(run: Run, bundle: Bundle) -> Prediction:
    """Return the rows that a run scores with their predictions, before anything is computed.

    Beside them are those that it carries over, as far as its ledger knows by then.

    Raises:
        SparkInferError: They do not fit a model.
    """
    config, rows = run.job.config, run.ledger.pending()
    options, pending = config.batch.options(), None
    if run.ledger.is_compared:
        # Among the few rows of such a run those that fail each time may be many: the limit is
        # looked at when all are staged, without them.
        options = replace(options, max_rejected_share=1.0)
    if run.deadline is not None:
        rows = run.deadline.ordered(rows, run.values)
        options, pending = run.deadline.options(options), run.deadline.tally
    reference = BundleReference.share(run.spark, bundle, options, config.bundle.allow_modules)
    challengers = run.challengers.shared(run.spark, options)
    run.tally = tally_accumulator(run.spark) if challengers else None
    predicted = predict_prepared(
        rows,
        bundle.signature,
        reference,
        [*config.key, *config.target.keep, *run.ledger.columns],
        run.metrics,
        config.source.scan,
        run.gate.sample,
        challengers,
        run.tally,
        pending,
    )
    if run.deadline is not None:
        predicted = run.deadline.left_out(predicted)
    lineage = {"name": bundle.name, "digest": bundle.digest, "run_id": run.run_id}
    predicted = run.ledger.beside(with_lineage(predicted, **lineage))
    run.found["scan"] = explain(predicted.df)
    return predicted
