"""Files that are not as their columns were declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_infer.errors import ConfigError, SparkInferError, WarehouseError
from spark_infer.spark.failures import spark_failures
from spark_infer.warehouse.config import SourceConfig
from spark_infer.warehouse.reading.source import read_source

pytestmark = pytest.mark.one_spark

SCHEMA = "id BIGINT, a DOUBLE, b DOUBLE"
CSV: dict[str, Any] = {"format": "csv", "options": {"header": "true"}, "schema": SCHEMA}


@pytest.fixture
def read(spark: SparkSession, tmp_path: Path) -> Any:
    """Reads files of some texts as a source section says; ends as a job does where it fails."""

    def source(*texts: str, **section: Any) -> list[tuple[Any, ...]]:
        for number, text in enumerate(texts):
            (tmp_path / f"{number}.txt").write_text(text)
        config = SourceConfig.model_validate({"path": str(tmp_path), **section})
        with spark_failures("the source cannot be read, nothing was written"):
            rows = read_source(spark, config, {}).collect()
        return sorted(tuple(row) for row in rows)

    return source


@pytest.mark.nightly_after(3)
@pytest.mark.parametrize(
    "texts",
    [
        ["id,b,a\n1,2,1\n"],
        ["id,n,a,b\n1,7,1,2\n"],
        ["id,a\n1,7\n"],
        ["id,a,b,n\n1,7,1,2\n"],
        ["id,a,b\n1,1,2\n", "id,b,a\n3,2,1\n"],
        [",a,b\n1,1,2\n"],
        ["1,1,2\n2,1,2\n"],
    ],
)
def test_a_csv_header_that_is_not_the_schema_is_refused(read: Any, texts: list[str]) -> None:
    with pytest.raises(WarehouseError, match=r"CSV file \S+txt has .*order of the file, or set t"):
        read(*texts, **CSV)


def test_the_whole_header_is_compared_whatever_is_read(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,n,a,b\n1,7,1,2\n")
    df = read_source(spark, SourceConfig.model_validate({"path": str(tmp_path), **CSV}), {})
    for columns in (["id", "b"], ["id"]):
        with pytest.raises(WarehouseError, match="header of 4 columns, not 3"), spark_failures(""):
            df.select(*columns).collect()


def test_by_position_if_the_operator_says_so(read: Any) -> None:
    for name in ("enforceSchema", "ENFORCESCHEMA"):
        options = {"header": "true", name: "true"}
        assert read("id,b,a\n1,2,1\n", **{**CSV, "options": options}) == [(1, 2.0, 1.0)]


@pytest.mark.parametrize("header", ["id,a,b", "ID,A,B", "\ufeffid,a,b"])
def test_a_header_that_is_the_schema_is_read(read: Any, header: str) -> None:
    assert read(f"{header}\n1,1.5,2\n2,,2\n", **CSV) == [(1, 1.5, 2.0), (2, None, 2.0)]


def test_files_without_a_header_are_read_by_position(read: Any) -> None:
    assert read("1,1,2\n", "2,1,2\n", **{**CSV, "options": {}}) == [(1, 1.0, 2.0), (2, 1.0, 2.0)]


@pytest.mark.parametrize("infer", ["true", "false"])
def test_csv_files_whose_headers_differ_are_refused(read: Any, infer: str) -> None:
    options = {"header": "true", "inferSchema": infer}
    with pytest.raises(WarehouseError, match=r"CSV file \S+1.txt has the header id, b, a, and"):
        read("id,a,b\n1,1,2\n" * 9, "id,b,a\n3,2,1\n", format="csv", options=options)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (",a,b", ["_c0", "a", "b"]),
        ("a,a,b", ["a0", "a1", "b"]),
        ("a,b,A", ["a0", "b", "A2"]),
        ("a,b,", ["a", "b", "_c2"]),
        ("a0,b,c1", ["a0", "b", "c1"]),
    ],
)
def test_names_that_spark_makes_for_a_header_are_no_mistake(
    spark: SparkSession, tmp_path: Path, header: str, columns: list[str]
) -> None:
    (tmp_path / "x.csv").write_text(f"{header}\n1,2,3\n")
    section = {"path": str(tmp_path), "format": "csv", "options": {"header": "true"}}
    df = read_source(spark, SourceConfig.model_validate(section), {})
    assert (df.columns, [tuple(row) for row in df.collect()]) == (columns, [("1", "2", "3")])


JSON: dict[str, Any] = {"format": "json", "schema": SCHEMA}


@pytest.mark.nightly_after(5)
@pytest.mark.parametrize(
    ("text", "section", "reason"),
    [
        ('id,a,b\n1,1,2\n2,"1,5",2\n', CSV, r"\(.*1,5"),
        ("id,a,b\n1,1,2\n2,-,2\n", CSV, r"\("),
        ("id,a,b\n1,1,2\n2,1\n", CSV, r"2,1\)"),
        ("id,a,b\n1,1,2\n2,1,2,3\n", CSV, r"2,1,2,3\)"),
        ("id,a,b\n1.5,1,2\n", CSV, r"1\.5"),
        ('{"id":1,"a":"x","b":2}\n', JSON, "'?x'?"),
        ('{"id":1,"a":true,"b":2}\n', JSON, "true"),
        ('{"id":1,"a":{"z":1},"b":2}\n', JSON, r"a"),
        ('{"id":1.5,"a":1,"b":2}\n', JSON, r"1\.5"),
        ('{"id":1,"a":1\n', JSON, "end-of-input"),
        ('{"id":1,"a":1\n', {"format": "json"}, "end-of-input"),
        ("<r><x><id>1</id><a>z</a></x></r>", {"format": "xml", "options": {"rowTag": "x"}}, "z"),
    ],
)
def test_a_value_that_is_not_of_its_type_stops_the_run(
    read: Any, spark: SparkSession, text: str, section: Any, reason: str
) -> None:
    if section["format"] == "xml":
        if spark.version < "4":
            pytest.skip("XML is built into Spark since 4.0")
        section = {**section, "schema": SCHEMA}
    with pytest.raises(
        WarehouseError, match=rf"holds a record that.*{reason}.*mode to PERM"
    ) as got:
        read(text, **section)
    assert "\n" not in str(got.value)
    assert not got.value.transient
    if "schema" in section and spark.version >= "4":
        assert "0.txt holds" in str(got.value)


@pytest.mark.parametrize("mode", ["PERMISSIVE", "permissive"])
def test_null_is_taken_if_the_operator_says_so(read: Any, mode: str) -> None:
    csv = {**CSV, "options": {"header": "true", "mode": mode}}
    assert read("id,a,b\n1,-,2\n", **csv) == [(1, None, 2.0)]
    json = {**JSON, "options": {"MODE": mode}}
    assert read('{"id":1,"a":"x","b":2}\n', **json) == [(1, None, 2.0)]


def test_keys_that_json_lacks_are_null(read: Any) -> None:
    assert read('{"id":1,"b":2}\n{"id":2,"a":null,"b":2}\n', **JSON) == [
        (1, None, 2.0),
        (2, None, 2.0),
    ]


@pytest.fixture(params=["parquet", "orc"])
def files(request: Any, spark: SparkSession, tmp_path: Path) -> Any:
    """Writes files of columns, and reads them by a schema."""
    folder = tmp_path / "files"

    class Files:
        kind = request.param

        def write(self, columns: str, part: str = "k=1") -> None:
            spark.sql(f"SELECT {columns}").write.format(self.kind).save(str(folder / part))

        def read(self, schema: str, session: SparkSession = spark, **options: str) -> DataFrame:
            section = {"path": str(folder), "format": self.kind, "schema": schema}
            config = SourceConfig.model_validate({**section, "options": options})
            return read_source(session, config, {})

    return Files()


@pytest.mark.nightly_after(4)
@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ("id INT, a DOUBLE", "'a'"),
        ("a DOUBLE, c INT, id INT", "'a', 'c'"),
        ("id INT, amounts DOUBLE", "'amounts'; did you mean 'amount'?"),
        ("id INT, st STRUCT<p: INT, z: INT>", "'st.z'"),
        ("id INT, li ARRAY<STRUCT<z: INT>>", "'li.z'"),
        ("id INT, ma MAP<STRING, STRUCT<z: INT>>", "'ma.z'"),
    ],
)
def test_a_column_that_no_file_has_is_refused(files: Any, schema: str, named: str) -> None:
    files.write(
        "1 AS id, 1D AS amount, named_struct('p', 1) AS st, array(named_struct('p', 1)) AS li, "
        "map('x', named_struct('p', 1)) AS ma"
    )
    with pytest.raises(ConfigError) as caught:
        files.read(schema)
    assert str(caught.value).startswith("source.schema: no file of '")
    assert named in str(caught.value)


def test_names_are_compared_as_the_session_does(files: Any, spark: SparkSession) -> None:
    files.write("1 AS ID, named_struct('P', 1D) AS st")
    row = files.read("id INT, ST STRUCT<p: DOUBLE>, k INT").first()
    assert (row["id"], row["ST"]["p"], row["k"]) == (1, 1.0, 1)
    session = spark.newSession()
    session.conf.set("spark.sql.caseSensitive", "true")
    with pytest.raises(ConfigError, match=r"no file .* has 'id', 'st.p'; did you mean 'ID'\?"):
        files.read("id INT, st STRUCT<p: DOUBLE>", session)


def test_a_column_that_some_file_has_is_null_in_others(files: Any) -> None:
    files.write("1 AS id, 1D AS a")
    files.write("2 AS id, 2 AS c", "k=2")
    files.write("3 AS id", "k=3")
    rows = files.read("id INT, a DOUBLE, c INT").orderBy("id").collect()
    assert [tuple(row)[:3] for row in rows] == [(1, 1.0, None), (2, None, 2), (3, None, None)]
    with pytest.raises(ConfigError, match=r"no file .* has 'd'"):
        files.read("id INT, d DOUBLE")


def test_files_whose_columns_do_not_merge_are_told(files: Any) -> None:
    files.write("1 AS id, 1D AS a")
    files.write("'x' AS id, 1D AS c", "k=2")
    with pytest.raises(SparkInferError, match=r"lacks '[ac]', and whether others.*give source\.t"):
        files.read("id INT, a DOUBLE, c DOUBLE")


def test_a_folder_without_files_has_no_rows(files: Any, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    assert files.read("id INT, a DOUBLE").count() == 0


def test_orc_files_without_names_are_read_by_position(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "files")
    spark.sql("SELECT 1 AS _col0, 2D AS _col1").write.orc(path)
    section = {"path": path, "format": "orc", "schema": "id INT, a DOUBLE"}
    df = read_source(spark, SourceConfig.model_validate(section), {})
    assert [tuple(row) for row in df.collect()] == [(1, 2.0)]


LONG = "id,c,a,b\n1,x,1,2\n2,x,7,1,2\n"
SHORT = "id,c,a,b\n1,x,1,2\n2,x,1\n"


@pytest.mark.nightly_after(4)
@pytest.mark.parametrize("text", [LONG, SHORT])
@pytest.mark.parametrize("columns", [["id", "a"], ["b"], ["id", "c", "a", "b"]])
@pytest.mark.parametrize("section", [{"schema": "id BIGINT, c STRING, a DOUBLE, b DOUBLE"}, {}])
def test_rows_of_another_width_are_refused_whatever_is_read_of_them(
    spark: SparkSession, tmp_path: Path, text: str, columns: list[str], section: dict[str, str]
) -> None:
    (tmp_path / "x.csv").write_text(text)
    source = {"path": str(tmp_path), "format": "csv", "options": {"header": "true"}, **section}
    df = read_source(spark, SourceConfig.model_validate(source), {})
    with pytest.raises(WarehouseError), spark_failures("it cannot be read"):
        df.select(*columns).collect()


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("id;d\n1;1,5\n", {"format": "csv", "options": {"header": "true", "sep": ";"}}),
        ('id,d\n1,"0,75"\n', {"format": "csv", "options": {"header": "true"}}),
        ('{"id": 1, "d": "1,5"}', {"format": "json"}),
        ('{"id": 1, "d": "x"}', {"format": "json"}),
    ],
)
def test_a_decimal_with_a_comma_is_no_other_number(
    read: Any, text: str, section: dict[str, Any]
) -> None:
    with pytest.raises(WarehouseError, match=r"column 'd' is decimal\(9,2\), and a file has "):
        read(text, schema="id BIGINT, d DECIMAL(9, 2)", **section)


def test_a_decimal_is_read_as_spark_does_if_the_operator_says_so(read: Any) -> None:
    options = {"header": "true", "sep": ";", "mode": "PERMISSIVE"}
    section = {"format": "csv", "options": options, "schema": "id INT, d DECIMAL(9, 2)"}
    assert [(row[0], row[1]) for row in read("id;d\n1;x\n", **section)] == [(1, None)]


def test_names_that_spark_made_do_not_stop_the_reading_of_decimals(read: Any) -> None:
    options = {"header": "true", "inferSchema": "true"}
    big = 10**20
    rows = read(f",d\n1,{big}\n", format="csv", options=options)
    assert [(row[0], int(row[1])) for row in rows] == [(1, big)]


def test_decimals_are_what_the_file_says(read: Any) -> None:
    csv = {"format": "csv", "options": {"header": "true"}, "schema": "id INT, `d.` DECIMAL(9, 2)"}
    rows = read("id,d.\n1,1.5\n2,\n3,-0.75\n4, 12\n", **csv)
    assert [row[1] and float(row[1]) for row in rows] == [1.5, None, -0.75, 12.0]
