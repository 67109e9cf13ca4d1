"""A run that is planned, and not carried out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_infer.bundle import Bundle
from spark_infer.bundle.documents import shown
from spark_infer.errors import ConfigError
from spark_infer.report import JobPlan
from spark_infer.report.plan import Expected
from spark_infer.spark.dataframe import predict_prepared
from spark_infer.spark.driver.session import active
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.reference import BundleReference
from spark_infer.spark.scan.explain import evaluations
from spark_infer.spark.tasks.metrics import metrics_accumulator
from spark_infer.spark.tasks.tally import tally_accumulator
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.history.runs import Runs
from spark_infer.warehouse.parameters.typed import texts
from spark_infer.warehouse.planning.expected import AMONG, NUM_RUNS, by_runs, by_sample
from spark_infer.warehouse.planning.rows import reading_of
from spark_infer.warehouse.planning.sql import reading_sql
from spark_infer.warehouse.run import Run
from spark_infer.warehouse.run_report import described
from spark_infer.warehouse.scope import rows_to_score
from spark_infer.warehouse.sinks.files.partition import of_path

SAMPLE_ROWS = 2_000


class PlannedRun(Run):
    """Finds out what a run would do. Nothing is written.

    Arguments are those of ``Run``.
    """

    def plan(self, sample_rows: int = SAMPLE_ROWS) -> JobPlan:
        """Return what a run would do.

        Args:
            sample_rows: Rows that are predicted to see how fast that is, where no earlier run
                tells; 0 predicts none.

        Raises:
            SparkInferError: See ``ScoringJob.run``.
        """
        if type(sample_rows) is not int or sample_rows < 0:
            raise ConfigError(f"sample_rows must be 0 or more, got {shown(sample_rows)}")
        self._start()
        config, bundle = self.job.config, self.bundle
        assert bundle is not None
        with active(self.spark):
            source = self._source()
            predicted, sink = self._prepared(source, bundle, recover=False)
            with self.steps.step("estimate"), spark_failures("the source cannot be looked at"):
                means = sink.means(predicted)
                earlier = Runs(config.name, config.report.path).done(NUM_RUNS, among=AMONG)
                reads = reading_of(source, predicted, self.found["snapshot"], earlier)
                is_read = predicted.num_rows is not None
                expected = by_runs(earlier, bundle.digest, reads.rows, is_read=is_read)
                if expected is None and sample_rows:
                    expected = self._sampled(source, bundle, sample_rows, reads.rows)
                replaces = self._replaces()
            return JobPlan(
                job=config.name,
                parameters=texts(self.values),
                bundle=described(self.job, bundle),
                target=config.target.table,
                mode=config.target.mode,
                writes=sink.intent(),
                replaces=replaces,
                columns=tuple(
                    f"{field.name} {field.dataType.simpleString().upper()}"
                    for field in predicted.df.schema.fields
                ),
                reads=reads,
                expected=expected or Expected(),
                scan=self.found["scan"],
                writer=means.writer,
                evaluations=evaluations(predicted.df),
                sql=(reading_sql(config, bundle, self.challengers.bundles), means.sql),
            )

    def _sampled(
        self, source: DataFrame, bundle: Bundle, number: int, rows: int | None
    ) -> Expected | None:
        """Predict a few rows, and see how long that takes."""
        config = self.job.config
        prepared = rows_to_score(config, source, bundle, self.challengers, self.values)
        few = replace(prepared, df=prepared.df.limit(number))
        metrics = metrics_accumulator(self.spark)
        reference = BundleReference.share(
            self.spark, bundle, config.batch.options(), config.bundle.allow_modules
        )
        challengers = self.challengers.shared(self.spark, config.batch.options())
        sample = predict_prepared(
            few,
            bundle.signature,
            reference,
            (),
            metrics,
            challengers=challengers,
            tally=tally_accumulator(self.spark),
        )
        sample.df.write.format("noop").mode("append").save()
        return by_sample(metrics.value, self.spark.sparkContext.defaultParallelism, rows)

    def _replaces(self) -> Sequence[str] | None:
        """Return the partitions of the target that the run is about, where that can be told."""
        assert self.target is not None
        table, by = self.target.table(), self.job.config.target.partition_by
        if table is None or not table.has_partitions or not self.target.is_overwritten:
            return None
        names = sorted(table.partitions(self.spark, self.target.name))
        if not names:
            return []
        columns = table.partition_columns
        values = [dict(zip(columns, of_path(self.spark, name), strict=True)) for name in names]
        schema = ", ".join(f"{quoted(name)} STRING" for name in columns)
        rows = F.from_json(F.lit(json.dumps(values)), f"array<struct<{schema}>>")
        # Not createDataFrame, which would leave this run's session the active one of the process.
        given = self.spark.range(1).select(F.inline(rows))
        typed = given.select(
            *(
                F.col(quoted(name)).cast(table.columns[name].dataType).alias(name)
                for name in table.partition_columns
            )
        )
        covered = self.coverage.of(typed, by)
        if covered is None:
            return None
        found = {tuple(row) for row in covered.collect()}
        return [
            name for name, row in zip(names, typed.collect(), strict=True) if tuple(row) in found
        ]
