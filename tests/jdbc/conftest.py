"""A session of Spark with PostgreSQL's driver, a server, and a job that writes there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import spark_infer as si
from tests.double import double as double
from tests.jdbc.server import JAR, PASSWORD, Server, need_postgresql, running_server
from tests.jobs import RunnableJob
from tests.sessions import local_session

COLUMNS = "id INT, a DOUBLE, day DATE"
# Zones in which times of the tests do not exist, and midnights do not; the server has another one.
SETTINGS = {
    "spark.jars": str(JAR),
    "spark.driver.extraJavaOptions": "-Duser.timezone=America/Sao_Paulo",
    "spark.sql.session.timeZone": "Australia/Lord_Howe",
    # The cluster hides nothing.
    "spark.redaction.regex": "nothing at all",
    # Tasks that fail are tried again.
    "spark.master": "local[2,3]",
}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    need_postgresql()
    with running_server() as found:
        password = PASSWORD.replace("'", "''")
        found.sql(
            "CREATE ROLE scorer LOGIN; CREATE ROLE reader LOGIN; "
            f"CREATE ROLE guarded LOGIN PASSWORD '{password}';"
        )
        yield found


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[SparkSession]:
    root = tmp_path_factory.mktemp("spark")
    session = local_session(root, "JDBC tests", SETTINGS)
    yield session
    session.stop()


class Job(RunnableJob):
    """Runs a job over ``store.tx`` into ``lake.scores`` of the server."""

    def __init__(
        self, spark: SparkSession, folder: Path, bundle: si.Bundle, server: Server
    ) -> None:
        self.server = server
        self.jdbc = {"url": server.url(), "user_env": "SCORER"}
        super().__init__(
            spark,
            folder,
            bundle,
            source={"table": "store.tx"},
            target={"table": "lake.scores", "keep": ["day"], "jdbc": self.jdbc},
        )

    def transactions(self, *rows: str) -> None:
        """Replace the source: ``1 8 2.5`` is row 1 of August 8th, 2018, with the number 2.5."""
        values = ", ".join(
            "({}, {}D, DATE'2018-08-{:0>2}')".format(n, *(rest[1:] or [f"{n}.0"]), rest[0])
            for n, *rest in (row.split() for row in rows)
        )
        self.spark.sql("DROP TABLE IF EXISTS store.tx")
        self.spark.sql(f"CREATE TABLE store.tx ({COLUMNS}) USING parquet")
        if rows:
            self.spark.sql(f"INSERT INTO store.tx VALUES {values}")

    def scores(self, table: str = "lake.scores") -> list[tuple[int, int, float]]:
        """Return number, day and score of the rows that a reader of the table sees."""
        query = f"SELECT id, extract(day FROM day), score FROM {table} ORDER BY 1, 2, 3"
        return [(int(n), int(day), float(score)) for n, day, score in self.server.sql(query)]

    def tables(self) -> list[str]:
        """Return the names of the tables that are there."""
        query = "SELECT tablename FROM pg_tables WHERE schemaname IN ('lake', 'stage') ORDER BY 1"
        return [name for (name,) in self.server.sql(query)]


@pytest.fixture
def job(
    spark: SparkSession,
    tmp_path: Path,
    double: si.Bundle,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Job]:
    monkeypatch.setenv("SCORER", "scorer")
    spark.sql("CREATE DATABASE store")
    server.sql("CREATE SCHEMA lake AUTHORIZATION scorer; CREATE SCHEMA stage")
    found = Job(spark, tmp_path, double, server)
    found.transactions("1 8", "2 8", "3 9")
    yield found
    spark.sql("DROP DATABASE store CASCADE")
    server.sql("DROP SCHEMA lake, stage CASCADE")
