"""The gate of one run: what it compares with, and what comes of each check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pyspark.sql import DataFrame

from spark_infer.bundle import Bundle
from spark_infer.bundle.profile import Distribution, Profile, ks, psi
from spark_infer.bundle.profile.columns import label_cuts, number_outputs
from spark_infer.spark.tasks.sample import RowSample
from spark_infer.warehouse.config.gate import DRIFT, CheckConfig
from spark_infer.warehouse.gate.columns import asked
from spark_infer.warehouse.gate.compared import compared_column
from spark_infer.warehouse.gate.disagreement import disagreements
from spark_infer.warehouse.gate.history import History, Remembered
from spark_infer.warehouse.gate.measures import ROWS, Measures
from spark_infer.warehouse.gate.result import Result
from spark_infer.warehouse.rows.pending import is_pending
from spark_infer.warehouse.rows.staged import Staged

Side = Literal["inputs", "outputs"]


class Gate:
    """Checks the rows of a run.

    Shares, ranges and drifts of no rows, or of no values, are undefined and stop nothing, and so
    is a comparison with a run or profile that is not there yet: what must not be empty needs a
    check of ``rows``. Rows that wait for the next run count as rows, and are in the user's
    expressions; all else is about the others. An expression of the user that is null is not true,
    unless there are no rows.

    Args:
        checks: As the job file has them, and ``check_columns`` has found them right.
        bundle: The bundle.
        history: What is remembered of earlier runs.
        values: The job's parameters, as ``with_session_zone`` returned them.
    """

    def __init__(
        self,
        checks: Sequence[CheckConfig],
        bundle: Bundle,
        history: History,
        values: Mapping[str, Any],
    ) -> None:
        self._checks = checks
        self._bundle = bundle
        self._history = history
        self._values = values
        self._outputs = number_outputs(bundle.signature)
        asks = [asked(check, bundle.signature) for check in checks if check.check in DRIFT]
        self._drifting = tuple(dict.fromkeys(name for ask in asks for name in ask.outputs))
        self._features = tuple(dict.fromkeys(name for ask in asks for name in ask.features))
        self.profile = Profile()

    @property
    def needs_sample(self) -> bool:
        """Whether some of the rows that the model reads are to be drawn."""
        return bool(self._features)

    @property
    def stops(self) -> bool:
        """Whether a check can stop the run."""
        return any(check.action == "stop" for check in self._checks)

    def check_expressions(self, rows: DataFrame) -> None:
        """Prove, before a row is read, that the user's expressions fit rows of this schema.

        Raises:
            ConfigError: One does not.
        """
        measures = self._measures(rows)
        for number, check in enumerate(self._checks):
            if check.expression is not None:
                measures.check_expression(check.expression, where=f"gate.{number}.expression")

    def check(
        self, staged: Staged, sample: RowSample, challengers: Sequence[Mapping[str, Any]] = ()
    ) -> list[Result]:
        """Measure what is staged.

        Args:
            staged: The rows.
            sample: Some of the rows that the model read.
            challengers: What the report says of them.

        Raises:
            WarehouseError: A query fails.
        """
        measures = self._measures(staged.df.where(~is_pending()) if staged.pending else staged.df)
        # What the user asks is about all rows, and those that wait are there.
        everything = self._measures(staged.df) if staged.pending else measures
        first = self._first_cuts(measures)
        for check in self._checks:
            asked_of = measures if check.expression is None else everything
            asked_of.ask(*self._texts(check, measures))
        for name in self._drifting:
            for cuts in (first[name], self._earlier_cuts("outputs", name)):
                if cuts is not None:
                    measures.ask_distribution(name, cuts)
        measures.compute()
        if everything is not measures:
            everything.compute()
        # With the cut points that later runs are compared by.
        outputs = {name: measures.distribution(name, first[name]) for name in self._drifting}
        inputs = {}
        for name in self._features:
            if found := sample.column(name):
                known = self._known("profile", "inputs", name)
                inputs[name] = Distribution.of(*found, None if known is None else known.cuts)
        self.profile = Profile(inputs=inputs, outputs=outputs)
        return [
            result
            for check in self._checks
            for result in (
                disagreements(check, challengers)
                if check.check == "disagreement"
                else self._results(
                    check, measures if check.expression is None else everything, staged, sample
                )
            )
        ]

    def compared(self) -> list[dict[str, Any]]:
        """Return what was counted of each column, and what it is compared with, as JSON data."""
        sides: tuple[tuple[Side, str, Mapping[str, Distribution]], ...] = (
            ("outputs", "output", self.profile.outputs),
            ("inputs", "feature", self.profile.inputs),
        )
        found = []
        for side, kind, columns in sides:
            for name, now in columns.items():
                output = self._outputs.get(name) if side == "outputs" else None
                labels = None if output is None else output.labels
                before = self._known("profile", side, name)
                drift = compared_column(name, kind, now, before, labels)
                found.append({**drift, "origin": self._origin(side, name)})
        return found

    def remembered(self, run_id: str, rows: int) -> Remembered:
        """Return what later runs are compared with."""
        digest = self._bundle.digest
        return Remembered(run_id=run_id, digest=digest, rows=rows, profile=self.profile)

    def _measures(self, rows: DataFrame) -> Measures:
        return Measures(rows, self._outputs, self._values)

    def _known(self, against: str, side: Side, name: str) -> Distribution | None:
        """Return the distribution that a column is compared with."""
        if against == "previous":
            run = self._history.previous
            return None if run is None else getattr(run.profile, side).get(name)
        for profile in (self._bundle.profile, self._history.of(self._bundle.digest)):
            found: Distribution | None = (
                None if profile is None else getattr(profile, side).get(name)
            )
            if found is not None:
                return found
        return None

    def _origin(self, side: Side, name: str) -> str:
        """Return where a column's reference comes from, in words; ``""`` without one."""
        profile, run = self._bundle.profile, self._history.reference
        if profile is not None and name in getattr(profile, side):
            return "kept in the bundle since it was saved"
        if self._known("profile", side, name) is None or run is None:
            return ""
        return f"run {run.run_id}, the first of this bundle that was published"

    def _earlier_cuts(self, side: Side, name: str) -> Sequence[float] | None:
        known = self._known("previous", side, name)
        return None if known is None else known.cuts

    def _first_cuts(self, measures: Measures) -> dict[str, Sequence[float]]:
        cuts: dict[str, Sequence[float]] = {}
        missing = []
        for name in self._drifting:
            labels, known = self._outputs[name].labels, self._known("profile", "outputs", name)
            if known is not None:
                cuts[name] = known.cuts
            elif labels is not None:
                cuts[name] = label_cuts(len(labels))
            else:
                missing.append(name)
        return cuts | measures.cut_points(missing)

    def _texts(self, check: CheckConfig, measures: Measures) -> Iterator[str]:
        """Yield the aggregates that a check looks at."""
        if check.expression is not None:
            yield _parenthesized(check.expression)
        if check.check == "nulls":
            for name in asked(check, self._bundle.signature).outputs:
                yield from self._null_texts(measures, name)
        elif check.column is not None and check.check == "range":
            of = (measures.least, measures.most, measures.not_finite)
            yield from (text(check.column) for text in of)
        elif check.column is not None and check.threshold is not None:
            yield measures.above(check.column, check.threshold)

    def _results(
        self, check: CheckConfig, measures: Measures, staged: Staged, sample: RowSample
    ) -> Iterator[Result]:
        rows = measures[ROWS]
        column = check.column or ""
        if check.check in DRIFT:
            yield from self._drifts(check, measures, sample)
        elif check.check == "nulls":
            for name in asked(check, self._bundle.signature).outputs:
                found = sum(measures[text] for text in self._null_texts(measures, name))
                yield _compared(check, name, _share(found, rows))
        elif check.check == "rejects":
            yield _compared(check, "", _share(staged.rejected, staged.scored))
        elif check.check == "rows":
            yield _compared(check, "", float(rows + staged.waiting))
        elif check.check == "row_ratio":
            run = self._history.previous
            before = None if run is None else run.rows
            rows += staged.waiting
            note = "no earlier run" if run is None else f"{rows:,} rows, before {run.rows:,}"
            yield _compared(check, "", rows / before if before else None, note)
        elif check.check == "range":
            yield _range(check, measures)
        elif check.threshold is not None:
            found = measures[measures.above(column, check.threshold)]
            yield _compared(check, column, _share(found, rows))
        elif check.expression is not None:
            value = measures[_parenthesized(check.expression)]
            met = None if value is None and not rows else value is True
            yield Result.of(check, "", None if met is None else met, met=met)

    def _null_texts(self, measures: Measures, name: str) -> list[str]:
        texts = [measures.nulls(name)]
        return [*texts, measures.nan(name)] if name in self._outputs else texts

    def _drifts(
        self, check: CheckConfig, measures: Measures, sample: RowSample
    ) -> Iterator[Result]:
        names = asked(check, self._bundle.signature)
        sides: tuple[tuple[Side, Sequence[str]], ...] = (
            ("outputs", names.outputs),
            ("inputs", names.features),
        )
        for side, columns in sides:
            for name in columns:
                before = self._known(check.compares_with, side, name)
                now = None
                if before is not None and side == "outputs":
                    now = measures.distribution(name, before.cuts)
                elif before is not None and (values := sample.column(name)):
                    now = Distribution.of(*values, before.cuts)
                value, note = None, ""
                if before is None:
                    note = "there is nothing yet to compare with"
                elif now is None:
                    note = "no row was read"
                elif check.check == "ks":
                    value = ks(before, now)
                else:
                    is_label = side == "outputs" and self._outputs[name].labels is not None
                    value = psi(before, now, by_label=is_label)
                yield _compared(check, name, value, note)


def _parenthesized(expression: str) -> str:
    return f"(\n{expression}\n)"


def _share(found: int, rows: int) -> float | None:
    return found / rows if rows else None


def _compared(check: CheckConfig, column: str, value: float | None, note: str = "") -> Result:
    if value is None:
        return Result.of(check, column, None, met=None, note=note or "there are no rows")
    met = (check.min is None or value >= check.min) and (check.max is None or value <= check.max)
    return Result.of(check, column, value, met=met, note=note)


def _range(check: CheckConfig, measures: Measures) -> Result:
    """Return the value that is furthest outside, or else the one that is nearest to a limit."""
    column = check.column or ""
    odd = measures[measures.not_finite(column)]
    least, most = measures[measures.least(column)], measures[measures.most(column)]
    if odd:
        note = f"{odd:,} rows are NaN or infinite"
        return Result.of(check, column, float("nan"), met=False, note=note)
    if least is None:
        return Result.of(check, column, None, met=None, note="there are no values")
    note = f"from {least:.6g} to {most:.6g}"
    outside = check.min is not None and least < check.min
    value = least if outside or check.max is None else most
    met = not outside and (check.max is None or most <= check.max)
    return Result.of(check, column, value, met=met, note=note)
