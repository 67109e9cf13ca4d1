"""The commands of ``spark-infer``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from spark_infer.cli import history, output, progress, render
from spark_infer.cli.stop import Stop
from spark_infer.errors import ConfigError

app = typer.Typer(
    name="spark-infer",
    help="Batch inference for the data warehouse, on Apache Spark.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Job = Annotated[str, typer.Argument(help="Job file (YAML); see 'spark-infer reference'.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A parameter of the job (date=2018-08-08) or a key of the job file "
        "(batch.device=cuda). What starts with spark. is a key of Spark itself "
        "(spark.sql.shuffle.partitions=8). Repeat for several. Wins over SPARK_INFER_SET_DATE "
        "and SPARK_INFER_SET_BATCH__DEVICE in the environment, which win over the file. A "
        "variable for a parameter that the job does not have is ignored.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command()
def score(
    context: typer.Context,
    job: Job,
    settings: Settings = None,
    as_json: Json = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Score, check and measure the rows, then discard them: no publishing."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Tell nothing on the way but warnings and errors.")
    ] = False,
) -> None:
    """Run a scoring job: read, predict, write the target table and the run report.

    Each step is told on the error stream, with its seconds, and how far it is meanwhile. A run that
    fails writes a report too. With --dry-run the exit code is the one that the run would have had.

    Exit codes: 0 done, 2 wrong input or configuration, 3 stopped by a gate, 4 too many rejected
    rows, 75 something passing (a lost executor, a full disk, a catalog or store out of reach): run
    it again, 130 and 143 interrupted, 1 anything else. A run that has left rows to the next one for
    want of time ends with deadline_exit of the job file: 0, 5 or 75.
    """
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.load(job, settings=_pairs(settings or []))
    check = context.ensure_object(Stop).check
    with progress.told(quiet=quiet) as on_progress:
        report = loaded.run(on_step=check, dry_run=dry_run, on_progress=on_progress)
    config = loaded.config.report
    try:
        render.run_report(report, config.path, html=config.html, as_json=as_json)
    except ConfigError as error:
        # Not transient: run again, it would append the rows again.
        done = "nothing was published" if dry_run else "the target was written"
        raise ConfigError(
            f"{done}, and the report is {report.path(config.path)}, but {error}"
        ) from None
    if report.rows_pending:
        raise typer.Exit(loaded.config.deadline_exit)


@app.command()
def plan(
    context: typer.Context,
    job: Job,
    settings: Settings = None,
    sample: Annotated[
        int,
        typer.Option(
            "--sample",
            metavar="ROWS",
            help="Rows to predict where no earlier run tells how fast that is; 0 for none.",
        ),
    ] = 2_000,
    as_json: Json = False,
) -> None:
    """Check a scoring job and tell what a run would do, from metadata and a sample.

    Nothing is written. Exit codes are those of score.
    """
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.load(job, settings=_pairs(settings or []))
    planned = loaded.plan(on_step=context.ensure_object(Stop).check, sample_rows=sample)
    render.job_plan(planned, as_json=as_json)


@app.command()
def recover(context: typer.Context, job: Job, settings: Settings = None) -> None:
    """Complete or undo what killed runs have left of a job's target, as the next run would.

    Exit codes are those of score.
    """
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.load(job, settings=_pairs(settings or []))
    completed = loaded.recover(on_step=context.ensure_object(Stop).check)
    render.recovered(loaded.config.target.table, completed)


@app.command()
def runs(
    job: Job,
    settings: Settings = None,
    last: Annotated[int, typer.Option("--last", metavar="N", help="The newest N.")] = 20,
    as_json: Json = False,
) -> None:
    """List the runs of a job that have left reports, the newest first.

    Exit codes: 0, and 2 for wrong input. A report that is damaged is named; the others are there.
    """
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.of_kept(job, settings=_pairs(settings or []))
    history.run_list(loaded.runs(last), as_json=as_json)


AnyRun = Annotated[str, typer.Argument(help="Run, as 'spark-infer runs' lists it; or last.")]


@app.command()
def show(job: Job, run: AnyRun, settings: Settings = None, as_json: Json = False) -> None:
    """Show one run of a job: outcome, counts, durations, gate, batches, lineage, commands.

    Exit codes: 0, and 2 for wrong input.
    """
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.of_kept(job, settings=_pairs(settings or []))
    history.one_run(loaded.report(run), loaded.config.report.path, as_json=as_json)


@app.command()
def replay(
    context: typer.Context,
    job: Job,
    run: AnyRun,
    key: Annotated[
        list[str],
        typer.Option(
            "--key",
            metavar="NAME=VALUE",
            help="Value of a column of the job's key. Repeat for each column.",
        ),
    ],
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Predict one row of a run again, and say whether that is what was published, or why not.

    Exit codes: 0 it is, 1 it is not or cannot be told, 2 wrong input, others as those of score.
    """
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.of_kept(job, settings=_pairs(settings or []))
    check = context.ensure_object(Stop).check
    found = loaded.replay(run, _pairs(key, "--key"), on_step=check)
    history.replayed(found, as_json=as_json)
    if not found.is_equal:
        raise typer.Exit(1)


RunId = Annotated[str, typer.Argument(help="Run that the gate has stopped; its message names it.")]


@app.command()
def publish(context: typer.Context, job: Job, run: RunId, settings: Settings = None) -> None:
    """Publish a run that its gate has stopped, after a look at its keys and the table.

    Parameters are those of the run. Exit codes are those of score.
    """
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.of_kept(job, settings=_pairs(settings or []))
    published = loaded.publish(run, on_step=context.ensure_object(Stop).check)
    render.decided(loaded.config.target.table, run, published.rows)


@app.command()
def drop(context: typer.Context, job: Job, run: RunId, settings: Settings = None) -> None:
    """Drop what is kept of a run that its gate has stopped.

    Exit codes are those of score.
    """
    from spark_infer.warehouse import ScoringJob

    loaded = ScoringJob.of_kept(job, settings=_pairs(settings or []))
    loaded.drop(run, on_step=context.ensure_object(Stop).check)
    render.decided(loaded.config.target.table, run, None)


@app.command()
def inspect(
    bundle: Annotated[str, typer.Argument(help="Directory or URI of the bundle.")],
    try_it: Annotated[
        bool,
        typer.Option("--try", help="Also predict the rows that it keeps, and compare the answers."),
    ] = False,
    allow_modules: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-module",
            metavar="MODULE",
            help="With --try: a module whose classes the bundle may name.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a bundle and show its signature, features, files and digest."""
    from spark_infer.bundle import Bundle

    loaded = Bundle.load(bundle)
    tried = None
    if try_it:
        from spark_infer.backends import load_backend
        from spark_infer.engine.proof.checks.kept import try_bundle

        backend = load_backend(loaded, allow_modules=allow_modules or ())
        tried = try_bundle(backend, loaded)
    render.bundle(loaded, tried, as_json=as_json)


@app.command()
def reference(
    report: Annotated[
        bool, typer.Option("--report", help="Print the JSON schema of run reports instead.")
    ] = False,
) -> None:
    """Print every key of a job file: type, default and meaning."""
    if report:
        from spark_infer.report import report_schema

        output.write(report_schema())
        return
    from spark_infer.warehouse.config import JobConfig

    render.job_reference(JobConfig)


def _pairs(settings: Sequence[str], option: str = "--set") -> dict[str, str]:
    pairs: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise ConfigError(f"{option} {setting!r} must look like NAME=VALUE")
        if option == "--key" and name in pairs:
            raise ConfigError(f"--key {name} is given twice; one row has one value of it")
        pairs[name] = value
    return pairs
