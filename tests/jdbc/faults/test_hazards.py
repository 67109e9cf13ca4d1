"""Tables that would have a run change other rows than it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.jdbc.faults.test_faults import BROKEN, fails
from tests.jdbc.test_modes import APPEND, DELETE, FIRST, MERGE, OVERWRITE

LOOSE = """
CREATE COLLATION lake.loose
    (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
"""
SKIP = """
CREATE FUNCTION lake.skip() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
    IF coalesce(NEW.id, OLD.id) = 2 THEN RETURN NULL; END IF;
    RETURN coalesce(NEW, OLD);
END $$;
"""
BY_ID = {"partition_by": ["id"], "keep": []}


@pytest.mark.parametrize(
    ("target", "changed", "what"),
    [
        (APPEND, "ALTER TABLE lake.scores ALTER id TYPE text COLLATE lake.loose", "column id"),
        (BY_ID, "ALTER TABLE lake.scores ALTER id TYPE text COLLATE lake.loose", "column id"),
        (
            MERGE,
            "CREATE UNIQUE INDEX loose ON lake.scores (id COLLATE lake.loose)",
            "index loose",
        ),
    ],
)
def test_texts_that_count_as_the_same(
    job: Any, target: dict[str, Any], changed: str, what: str
) -> None:
    """A merge, or an append, would take 'A' for the row of 'a'."""
    job.spark.sql("CREATE TABLE store.texts USING parquet AS SELECT string(id) id, a FROM store.tx")
    target = {"keep": [], **target}
    job.run(source={"table": "store.texts"}, target=target)
    job.server.sql(f"{LOOSE} {changed}")
    message = f"{what}.* has a collation by which different texts count as the same"
    broken = {"table": "store.texts", "filter": "raise_error('read') IS NULL"}
    fails(job, message, code=2, source=broken, target=target)


def test_a_merge_into_a_table_with_heirs(job: Any) -> None:
    job.run(target=MERGE)
    job.server.sql(
        "CREATE TABLE lake.heir () INHERITS (lake.scores); "
        "WITH gone AS (DELETE FROM lake.scores WHERE id = 2 RETURNING *) "
        "INSERT INTO lake.heir SELECT * FROM gone; ALTER TABLE lake.heir OWNER TO scorer"
    )
    fails(job, r"lake\.heir inherits from it", code=2, source=BROKEN, target=MERGE)
    for target in (APPEND, OVERWRITE):
        job.run(target=target)
        assert job.scores() == FIRST


def test_a_merge_into_a_table_of_partitions(job: Any) -> None:
    job.run(target=MERGE)
    job.server.sql(
        "ALTER TABLE lake.scores RENAME TO old; "
        "CREATE TABLE lake.scores (LIKE lake.old, PRIMARY KEY (id)) PARTITION BY RANGE (id); "
        "CREATE TABLE lake.few PARTITION OF lake.scores FOR VALUES FROM (0) TO (3); "
        "CREATE TABLE lake.many PARTITION OF lake.scores DEFAULT; "
        "INSERT INTO lake.scores SELECT * FROM lake.old; ALTER TABLE lake.scores OWNER TO scorer"
    )
    job.transactions("2 8 100", "7 9")
    job.run(target=DELETE)
    assert job.scores() == [(2, 8, 200.0), (7, 9, 14.0)]


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL"])
def test_an_overwrite_of_rows_that_others_refer_to(job: Any, action: str) -> None:
    job.run(target=OVERWRITE)
    job.server.sql(
        "ALTER TABLE lake.scores ADD PRIMARY KEY (id); CREATE TABLE lake.reviews "
        f"(id int REFERENCES lake.scores ON DELETE {action}); INSERT INTO lake.reviews VALUES (1)"
    )
    message = r"lake\.reviews has a foreign key to it with ON DELETE CASCADE"
    fails(job, message, code=2, source=BROKEN, target=OVERWRITE)
    replace_all = {"jdbc": job.jdbc | {"replace_all": True}}
    fails(job, message, code=2, source=BROKEN, target=replace_all)
    job.transactions("1 8 100")
    job.run(target=MERGE)
    assert job.scores() == [(1, 8, 200.0), *FIRST[1:]]
    assert job.server.sql("SELECT id FROM lake.reviews") == [("1",)]


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize("target", [OVERWRITE, DELETE, "replace_all"])
@pytest.mark.parametrize(
    "kept",
    [
        f"{SKIP} CREATE TRIGGER skip BEFORE DELETE ON lake.scores "
        "FOR EACH ROW EXECUTE FUNCTION lake.skip()",
        "CREATE RULE skip AS ON DELETE TO lake.scores DO INSTEAD NOTHING",
        "ALTER TABLE lake.scores OWNER TO postgres; GRANT ALL ON lake.scores TO scorer; "
        "ALTER TABLE lake.scores ENABLE ROW LEVEL SECURITY; "
        "CREATE POLICY seen ON lake.scores FOR SELECT USING (true); "
        "CREATE POLICY added ON lake.scores FOR INSERT WITH CHECK (true); "
        "CREATE POLICY changed ON lake.scores FOR UPDATE USING (true)",
    ],
)
def test_a_table_that_keeps_what_is_deleted(job: Any, target: Any, kept: str) -> None:
    """An overwrite would add its rows beside those that it replaces."""
    if target == "replace_all":
        target = {"jdbc": job.jdbc | {"replace_all": True}}
    job.run(target=target)
    job.server.sql(kept)
    job.transactions("1 8", "3 9")
    fails(job, "it kept rows that the run takes away; look for triggers", code=2, target=target)
    assert job.scores() == FIRST
    assert job.tables() == ["scores"]


def test_an_append_to_a_table_that_leaves_rows_out(job: Any) -> None:
    job.transactions("1 8")
    job.run(target=APPEND)
    when = "BEFORE INSERT ON lake.scores FOR EACH ROW"
    job.server.sql(f"{SKIP} CREATE TRIGGER skip {when} EXECUTE FUNCTION lake.skip()")
    job.transactions("1 8", "2 8", "3 9")
    fails(job, "it took 1 of 2 rows; look for triggers", code=2, target=APPEND)
    assert job.scores() == FIRST[:1]


def test_a_commit_that_takes_longer_than_the_driver_waits(job: Any) -> None:
    job.run(target=APPEND)
    job.server.sql(
        "CREATE FUNCTION lake.slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(4); RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON lake.scores DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION lake.slow()"
    )
    job.transactions("4 9")
    jdbc = job.jdbc | {"url": f"{job.server.url()}?socketTimeout=3"}
    # Who asks whether it is committed waits until that is decided.
    assert job.run(target=APPEND | {"jdbc": jdbc}).rows_out == 1
    assert job.scores() == [*FIRST, (4, 9, 8.0)]


def test_functions_of_others_are_not_called(job: Any) -> None:
    """In a schema that the user looks in, they would fit better than the database's own."""
    signatures = (
        *("starts_with(name, text)", "hashtextextended(text, integer)", "unnest(text[])"),
        *("array_to_json(text[])", "count(text)"),
    )
    body = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called'; END $$"
    job.server.sql(
        "".join(f"CREATE FUNCTION stage.{s} RETURNS text {body};" for s in signatures)
        + "GRANT USAGE ON SCHEMA stage TO scorer; ALTER ROLE scorer SET search_path = lake, stage"
    )
    job.spark.sql(
        "CREATE TABLE store.listed USING parquet AS SELECT id, a, day, array('x') n FROM store.tx"
    )
    changes: dict[str, Any] = {"source": {"table": "store.listed"}, "key": ["id", "n"]}
    try:
        for target in (APPEND, DELETE):
            job.run(target=target, **changes)
            assert job.scores() == FIRST
    finally:
        job.server.sql("ALTER ROLE scorer RESET search_path")
