"""A table of files: staged in its folder, published by its catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from spark_infer.errors import WarehouseError
from spark_infer.spark.failures import SPARK_FAILURES, explained, spark_failures
from spark_infer.spark.prediction import Prediction
from spark_infer.spark.written import NotByWorkers
from spark_infer.warehouse.rows.by_key import without_known
from spark_infer.warehouse.rows.keys import Keys, Partition
from spark_infer.warehouse.rows.staged import Staged
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.files.by_spark import read_staged, stage_by_spark
from spark_infer.warehouse.sinks.files.by_workers import ByWorkers
from spark_infer.warehouse.sinks.files.journal import Journal
from spark_infer.warehouse.sinks.files.leftovers import beside, check_no_later, complete, recover
from spark_infer.warehouse.sinks.files.partition import Partitions, of_path
from spark_infer.warehouse.sinks.files.publication import RUNS, publish, publishing_sql
from spark_infer.warehouse.sinks.files.run_folder import RunFolder
from spark_infer.warehouse.sinks.folder import Folder
from spark_infer.warehouse.sinks.kept import Kept, find_kept
from spark_infer.warehouse.sinks.lock import WriterLock
from spark_infer.warehouse.sinks.sink import Means, Published
from spark_infer.warehouse.sinks.table import Table, default_folder
from spark_infer.warehouse.sinks.target import Target


class FileTable:
    """A table of Parquet or ORC files in Spark's own catalog; a ``Sink``.

    Rows are staged as files in the table's folder, under a name that readers pass over. Publishing
    has the catalog find a partition in its new folder: whoever plans a query through the catalog
    sees it wholly old or wholly new, and the old files stay for a day. Rows that are appended to
    what stays come as one file for each partition. What a run is about to do stands in a journal,
    and the next run completes it.

    One run of spark_infer at a time publishes into a table whose folder is on a local file system;
    others wait. On other file systems whoever starts the runs must see that they do not overlap.

    Args:
        target: The table.
        coverage: Which rows of it the run replaces.
    """

    def __init__(self, target: Target, coverage: Coverage) -> None:
        self._target = target
        self._coverage = coverage
        self._run: RunFolder | None = None
        self._is_kept = False

    def check(self, schema: StructType) -> None:
        """Prove that rows of this schema can be written. Errors are those of ``Target.check``."""
        self._target.check(schema)
        self._lock()  # It can have a name.

    def intent(self) -> str:
        """Say what publishing would do to the table."""
        return self._target.intent(empties=True)

    def means(self, prediction: Prediction) -> Means:
        """Say how rows would be put into the table."""
        target, table = self._target, self._target.table()
        writer = "workers"
        try:
            run = RunFolder(self._places()[0 if table is None else 1].child(target.run_id))
            self._by_workers(prediction, table, run)
        except NotByWorkers as error:
            writer = f"jvm: {error}"
        return Means(writer, publishing_sql(target))

    def recover(self) -> tuple[str, ...]:
        """Complete or undo what runs have left that were killed, and return what is completed."""
        self._target.check_named()
        if not any(place.exists() for place in self._places()):
            return ()
        with self._alone():
            return self._completed(recover)

    def pending(self, rows: DataFrame) -> DataFrame:
        """Return the rows that are to be scored: of an append those that are not there yet."""
        return self._target.pending(rows)

    def stage(self, prediction: Prediction) -> Staged:
        """Score the rows into files that no reader looks at."""
        target, table = self._target, self._target.table()
        parent = self._places()[0 if table is None else 1]
        self._run = RunFolder(parent.child(target.run_id))
        self._run.begin()
        try:
            staging = self._by_workers(prediction, table, self._run)
        except NotByWorkers as error:
            return stage_by_spark(target, prediction.df, table, self._run.rows, f"jvm: {error}")
        return staging.stage()

    def check_rows(self, staged: Staged, keys: Keys) -> None:
        """Prove that publishing these rows removes none that the run is not about."""
        self._coverage.check_inside(staged.df, self._target.config.partition_by)
        emptied = self._emptied(keys)
        if self._is_kept:
            self._target.check_table(staged.df.schema)
            check_no_later(self._target, keys.partitions | emptied, staged.df)

    def discard(self, staged: Staged | None) -> None:
        """Drop what was staged, unless it is published."""
        if self._run is not None:
            self._run.end()

    def keep(self, staged: Staged, about: Mapping[str, Any]) -> None:
        """Have what is staged outlast the run, for seven days or until somebody decides."""
        assert self._run is not None
        table = self._target.table()
        form = self._target.config.format if table is None else table.format
        self._run.keep(Kept.of(staged, form, about).to_text())

    def kept(self) -> Mapping[str, Any]:
        """Return what was said of the run when it was kept."""
        return find_kept(self._target, self._places())[1].about

    def reopen(self) -> Staged:
        """Return what is kept, and hold it."""
        run, kept = find_kept(self._target, self._places())
        table = self._target.table()
        if table is not None and table.format != kept.format:
            raise WarehouseError(
                f"{self._target.named} is of {table.format} now, and what is "
                f"kept of run {self._target.run_id} of {kept.format}; run again"
            )
        run.hold()
        self._run, self._is_kept = run, True
        find_kept(self._target, self._places())  # Nobody has published or dropped it meanwhile.
        df = read_staged(self._target.spark, kept.format, kept.columns, run.rows)
        return kept.staged(df)

    def drop(self) -> None:
        """Drop what is kept."""
        with self._alone():
            run, _ = find_kept(self._target, self._places())
            run.hold()
            run.remove()
            run.end()

    def publish(self, staged: Staged, keys: Keys) -> Published:
        """Make the rows visible, and look whether they are there.

        Raises:
            WarehouseError: They cannot be, or what is there afterwards is something else. Unless
                the message says otherwise, the table is as it was before.
        """
        target, run = self._target, self._run
        assert run is not None
        with self._alone():
            # One that was killed meanwhile comes first: later it would replace what is new.
            self._completed(complete)
            with spark_failures(f"{self._written} not written"):
                # Again: another run may have written it since.
                table = target.check_table(staged.df.schema)
                if table is not None and not target.is_overwritten:
                    staged, keys = self._still_new(staged, keys, table)
                emptied = self._emptied(keys)
                if self._coverage.left_alone and not keys.rows and not emptied:
                    return Published(0, 0)
                if self._is_kept:
                    check_no_later(target, keys.partitions | emptied, staged.df)
                journal = self._journal(table, staged.df.schema, keys, emptied)
                before = set() if table is None else table.partitions(target.spark, target.name)
                run.begin_publishing(journal)
            try:
                publish(target.spark, target.name, table, run, journal)
            except SPARK_FAILURES as error:
                raise explained(
                    error, f"{self._written} written in part, and the next run completes it"
                ) from None
            text = f"{self._written} written, but not read back to check it"
            with spark_failures(text, "run the same range again"):
                target.check_kept(frozenset(before))
                return target.read_back(keys, staged.rows)

    def _completed(self, how: Callable[..., tuple[str, ...]]) -> tuple[str, ...]:
        """Complete what runs were publishing that were killed; nobody else writes the table."""
        target = self._target
        with spark_failures(f"{self._written} left unfinished by an earlier run"):
            completed = how(target.spark, target.name, self._folder())
            if completed:
                target.table(anew=True)
        return completed

    def _by_workers(self, prediction: Prediction, table: Table | None, run: RunFolder) -> ByWorkers:
        """Return how the workers stage the rows.

        Raises:
            NotByWorkers: Spark has to.
        """
        target = self._target
        if prediction.others is not None:
            raise NotByWorkers("rows that are not scored again are carried over")
        if (form := target.config.format if table is None else table.format) != "parquet":
            raise NotByWorkers(f"the table is of format {form}")
        if not target.is_overwritten:
            raise NotByWorkers("an append comes as one file for each partition")
        names = prediction.df.columns if table is None else table.columns.names
        options = {} if table is None else table.options
        return ByWorkers.plan(target, prediction, run, names, options)

    def _still_new(self, staged: Staged, keys: Keys, table: Table) -> tuple[Staged, Keys]:
        """Return the staged rows that no other run has added since this one has looked."""
        assert self._run is not None
        rows = without_known(staged.df, self._target.rows(), self._target.key)
        if rows.count() == staged.rows:
            return staged, keys
        place = self._run.folder.child("rest")
        rest = stage_by_spark(self._target, rows, table, place, staged.writer)
        self._run.rows.remove()
        place.rename(self._run.rows)
        df = read_staged(self._target.spark, table.format, rest.df.schema, self._run.rows)
        return Staged(df, rest.rows, rest.rejected, rest.writer), Keys(rest.rows, keys.partitions)

    def _emptied(self, keys: Keys) -> frozenset[Partition]:
        """Return the partitions that the run is about and has no rows for.

        Raises:
            WarehouseError: Nobody can tell, or rows would be removed that the run is not about.
        """
        target = self._target
        if target.table() is None:
            target.check_has_rows(keys)
            return frozenset()
        if not target.is_overwritten:
            return frozenset()
        return self._coverage.emptied(target, keys)

    def _journal(
        self,
        table: Table | None,
        schema: StructType,
        keys: Keys,
        emptied: frozenset[Partition],
    ) -> Journal:
        target, run = self._target, self._run
        assert run is not None
        there: dict[Partition, Folder] = {}
        if table is not None and table.has_partitions:
            there = Partitions(target.spark, target.name, table.partition_columns).locations()
        points: list[tuple[Partition, str]] = []
        moves: list[tuple[str, str]] = []
        for path, files in sorted(run.rows.files().items()):
            values = of_path(target.spark, path) if path else ()
            is_new = bool(path) and (target.is_overwritten or values not in there)
            if is_new:
                points.append((values, f"rows/{path}"))
                continue
            below = f"rows/{path}" if path else "rows"
            to = there[values].uri if path else ""
            moves += [(f"{below}/{file}", to) for file in files]
        for number, values in enumerate(sorted(emptied, key=str)):
            run.folder.child("emptied", str(number)).make()
            points.append((values, f"emptied/{number}"))
        return Journal(
            run_id=target.run_id,
            created=schema.json() if table is None else None,
            format=target.config.format if table is None else table.format,
            partition_by=tuple(target.config.partition_by),
            points=tuple(points),
            moves=tuple(moves),
            replaced=tuple(there[values].uri for values, _ in points if values in there),
        )

    def _folder(self) -> Folder:
        table = self._target.table()
        folder = None if table is None else table.folder
        found = folder or default_folder(self._target.spark, self._target.name)
        assert found is not None
        return found

    def _places(self) -> tuple[Folder, Folder]:
        """Return where the folders of runs are: of the table's first run, and of all others."""
        return beside(self._folder()), self._folder().child(RUNS)

    def _lock(self) -> WriterLock | None:
        local = self._folder().local
        return None if local is None else WriterLock(local)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other runs from the table; only where its folder is on a local file system."""
        lock = self._lock()
        with nullcontext() if lock is None else lock.held(self._target.config.table):
            yield

    @property
    def _written(self) -> str:
        return f"{self._target.named} was"
