"""One row of a run, predicted again from its source, and compared with what was published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, Row, SparkSession

from spark_infer.bundle import Bundle
from spark_infer.bundle.documents import check_kind
from spark_infer.bundle.signature import REASON_COLUMN
from spark_infer.errors import ConfigError, WarehouseError
from spark_infer.model.deadline import PENDING
from spark_infer.report import Replay
from spark_infer.report.replay import Verdict
from spark_infer.report.versions import versions
from spark_infer.spark.dataframe import predict_prepared
from spark_infer.spark.driver.session import active
from spark_infer.spark.failures import spark_failures
from spark_infer.spark.reference import BundleReference
from spark_infer.warehouse.history.as_of import as_of
from spark_infer.warehouse.history.compare import collectable, differences, plain, tolerance_of
from spark_infer.warehouse.history.key import RowKey
from spark_infer.warehouse.history.runs import Runs
from spark_infer.warehouse.parameters.typed import bind_parameters
from spark_infer.warehouse.run import Run
from spark_infer.warehouse.scope import rows_to_score
from spark_infer.warehouse.sinks import Target

if TYPE_CHECKING:
    from spark_infer.warehouse.job import ScoringJob

_NEVER = ("dry-run", "stopped", "dropped")
"""How runs end that have published nothing for sure."""


class ReplayedRun(Run):
    """Predicts one row of a run again. Nothing is written.

    Args:
        job: The job; its parameters are those of the run, whatever it was given.
        run_id: The run, or ``last``.
        key: Text for each column of the job's key.
        given: See ``Run``.
        on_step: See ``Run``.

    Raises:
        ConfigError: There is no such run, it has published nothing, or the key is wrong.
    """

    def __init__(
        self,
        job: ScoringJob,
        run_id: str,
        key: Mapping[str, str],
        given: SparkSession | None,
        on_step: Callable[[str], None] | None,
    ) -> None:
        check_kind(key, Mapping, name="key", wanted="a dict of text by column")
        texts = {name: str(value) for name, value in key.items()}
        self.key = RowKey.of(job.config.key, texts)
        self.report = Runs(job.config.name, job.config.report.path).find(run_id)
        values = bind_parameters(job.config.parameters, self.report.parameters)
        super().__init__(replace(job, values=values), given, on_step)
        if self.report.status in _NEVER or self.report.dry_run:
            raise ConfigError(
                f"run {self.report.run_id} has published nothing (it is {self.report.status}"
                f"{', a dry run' if self.report.dry_run else ''}), so that there is nothing to "
                "compare with; spark-infer runs JOB lists the others"
            )

    def replay(self) -> Replay:
        """Predict the row, and compare.

        Raises:
            SparkInferError: Source, target or bundle cannot be read, or the row's key stands in
                several rows.
        """
        with self.steps.step("bundle"):
            bundle = Bundle.load(self.job.config.bundle.path)
        if bundle.digest != self.report.bundle.get("digest"):
            return self._other_bundle(bundle)
        self.bundle = bundle
        self._open_session()
        with active(self.spark):
            with self.steps.step("target"), spark_failures("the target cannot be looked at"):
                published = self._published(bundle)
            if isinstance(published, Replay):
                return published
            source = self._source()
            with self.steps.step("replay"), spark_failures("the row cannot be predicted"):
                predicted = self._again(source, bundle)
                if predicted is None:
                    return self._ended(
                        "not in source",
                        "the source has no row of this key any more that meets source.filter and "
                        "rows with the parameters of the run",
                        published=self._outputs(published, bundle),
                    )
                return self._compared(published, predicted, bundle)

    def _source(self) -> DataFrame:
        """Return the source as it was, where it can tell, and else as it is."""
        source, then = super()._source(), self.report.snapshot
        if self.found["snapshot"] == list(then):
            return source
        before = as_of(self.spark, self.job.config.source, then, self.values)
        if before is None:
            return source
        self.found["snapshot"] = list(then)
        return before

    def _published(self, bundle: Bundle) -> Row | Replay:
        """Return the row in the target, or what to say where it is not there."""
        config, run_id = self.job.config, self.report.run_id
        if config.target.jdbc is not None:
            raise WarehouseError(
                f"target table {config.target.table!r} is in a database, and replay reads tables "
                "of Spark's catalogs only"
            )
        self.target = target = Target(self.spark, config.target, config.key, run_id)
        if target.table() is None:
            raise WarehouseError(
                f"target table {config.target.table!r} is not there, so that there is nothing to "
                "compare with"
            )
        outputs = [output.name for output in bundle.signature.outputs]
        wanted = [*config.target.keep, REASON_COLUMN, "run_id"]
        # The table may hold the key twice, if by several runs.
        found = collectable(self.key.rows(target.rows()), outputs, wanted).take(100)
        ours = [row for row in found if row["run_id"] == run_id]
        if len(ours) > 1:
            raise WarehouseError(
                f"target table {config.target.table!r} holds {len(ours)} rows of run {run_id} with "
                f"this key, of {self._told}; it must identify one"
            )
        if ours:
            return ours[0]
        if not found:
            return self._ended(
                "not in target",
                f"target table {config.target.table!r} has no row of this key; the run is "
                f"{self.report.status}",
            )
        other = found[0]["run_id"]
        # A run's id begins with the time at which it began.
        told = f"by now of run {other}, which has replaced it"
        if other is not None and other < run_id:
            told = f"of run {other}: nothing of it had changed, and this run has left it alone"
        return self._ended(
            "another run",
            f"the row in target table {config.target.table!r} is {told}; replay that run with the "
            "same key",
        )

    def _again(self, source: DataFrame, bundle: Bundle) -> Row | None:
        """Return the row of the source with what is predicted of it; None where it is not there."""
        config = self.job.config
        rows = rows_to_score(config, source, bundle, self.challengers, self.values)
        wanted = replace(rows, df=self.key.rows(rows.df))
        reference = BundleReference.share(
            self.spark, bundle, config.batch.options(), config.bundle.allow_modules
        )
        keep = [*config.key, *config.target.keep]
        predicted = predict_prepared(wanted, bundle.signature, reference, keep, self.metrics)
        outputs = [output.name for output in bundle.signature.outputs]
        found = collectable(predicted.df, outputs, [*config.target.keep, REASON_COLUMN]).take(2)
        if len(found) > 1:
            raise WarehouseError(
                f"the source has several rows with this key, of {self._told}; it must identify one"
            )
        return found[0] if found else None

    def _compared(self, published: Row, predicted: Row, bundle: Bundle) -> Replay:
        tolerance = tolerance_of(bundle, self.job.config.batch.options())
        before, now = self._outputs(published, bundle), self._outputs(predicted, bundle)
        changed = self._changed(published, predicted)
        about: dict[str, Any] = {"published": before, "predicted": now, "tolerance": tolerance}
        was, is_ = published[REASON_COLUMN], predicted[REASON_COLUMN]
        if was == PENDING:
            text = f"now it is rejected ({is_})" if is_ else "now it gets a prediction"
            return self._ended(
                "pending",
                f"the run had no time for the row before its deadline; {text}",
                **about,
            )
        if was is not None:
            text = "it is rejected for the same reason again"
            if is_ is None:
                text = "now it gets a prediction"
            elif is_ != was:
                text = f"now it is rejected for another reason ({is_})"
            return self._ended(
                "rejected",
                f"the row was rejected ({was}); {text}",
                is_equal=is_ == was,
                notes=[] if is_ == was else [*changed, *self._why()],
                **about,
            )
        if is_ is not None:
            found = [f"the row is rejected now ({is_})"]
        elif bundle.manifest.stochastic:
            return self._ended(
                "stochastic",
                "the bundle may give equal rows different predictions, so that they are not "
                "compared",
                notes=changed,
                **about,
            )
        else:
            rows = published.asDict(), predicted.asDict()
            found = differences(bundle.signature.outputs, *rows, tolerance)
        if not found:
            text = "the prediction is the one that was published"
            return self._ended("equal", text, is_equal=True, notes=changed, **about)
        verdict: Verdict = "source changed" if changed else "different"
        sentence = "; ".join([*changed, *found])
        return self._ended(verdict, sentence, notes=self._why(), **about)

    def _changed(self, published: Row, predicted: Row) -> list[str]:
        """Return which of the columns that the target keeps are others in the source by now."""
        found = []
        for name in self.job.config.target.keep:
            before, now = published[name], predicted[name]
            both_nan = before != before and now != now
            if before != now and not both_nan:
                found.append(f"{name} in the source is {plain(now)} and was {plain(before)}")
        return found

    def _why(self) -> list[str]:
        """Return what may have caused a difference."""
        notes = []
        then, now = list(self.report.snapshot), self.found.get("snapshot")
        if then and then == now:
            notes.append("the source holds the same files or snapshot as in the run")
        elif then:
            notes.append(
                "the source holds other files or another snapshot than in the run, so that values "
                "which the model reads may have changed"
            )
        here, there = versions(), self.report.versions
        other = [f"{k} {v} then, {here.get(k)} here" for k, v in there.items() if here.get(k) != v]
        if other:
            notes.append(f"other versions: {', '.join(other)}")
        return notes

    def _outputs(self, row: Row, bundle: Bundle) -> dict[str, Any]:
        values = {output.name: plain(row[output.name]) for output in bundle.signature.outputs}
        reason = row[REASON_COLUMN]
        return values if reason is None else {REASON_COLUMN: reason}

    def _other_bundle(self, bundle: Bundle) -> Replay:
        then = self.report.bundle.get("digest", "none")
        return self._ended(
            "another bundle",
            f"bundle.path {self.job.config.bundle.path} holds digest {bundle.digest[:12]} by now, "
            f"and the run was scored by {then[:12]}; where a copy of that one is, give it with "
            "--set bundle.path=...",
            digest=bundle.digest,
        )

    def _ended(
        self, verdict: Verdict, sentence: str, *, is_equal: bool = False, **about: Any
    ) -> Replay:
        return Replay(
            job=self.job.config.name,
            run_id=self.report.run_id,
            key=self.key.values,
            verdict=verdict,
            is_equal=is_equal,
            sentence=sentence,
            **{"digest": self.report.bundle.get("digest", ""), **about},
        )

    @property
    def _told(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.key.values.items())
