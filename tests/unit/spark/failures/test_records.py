"""Files that are not as declared, as Spark 3.5 and Spark 4 tell of them."""

from __future__ import annotations

import pytest

from spark_infer.spark.failures.causes import Cause
from spark_infer.spark.failures.records import unreadable
from spark_infer.spark.failures.sentence import sentence

READING = (
    "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///d/x.csv. SQLSTATE"
)
RECORD = (
    "[MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION] Malformed records are detected in record "
    "parsing: {}.\nParse Mode: FAILFAST. To process malformed records as null result, try setting "
    "the option 'mode' as 'PERMISSIVE'."
)
HEADER = (
    "CSV header does not conform to the schema.\n Header: id, b, a\n Schema: id, a, b\n"
    "Expected: a but found: b\nCSV file: file:///d/x.csv"
)
ADVICE = (
    "; correct it or the columns' types, or set the reader's option mode to PERMISSIVE to take "
    "null for what cannot be read"
)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        (
            [READING, HEADER],
            "CSV file file:///d/x.csv has the header id, b, a, and the columns are id, a, b; "
            "declare the columns in the order of the file, or set the reader's option "
            "enforceSchema to true to read them by position",
        ),
        (
            [
                "Number of column in CSV header is not equal to number of fields in the schema:\n "
                "Header length: 4, schema size: 3\nCSV file: file:///d/x.csv"
            ],
            "CSV file file:///d/x.csv has a header of 4 columns, not 3; declare the columns in the "
            "order of the file, or set the reader's option enforceSchema to true to read them by "
            "position",
        ),
        (
            [READING, RECORD.format("[2,null]") + "  SQLSTATE: 22023", 'For input string: "1,5"'],
            "file file:///d/x.csv holds a record that cannot be read as its columns say, [2,null] "
            f'(For input string: "1,5"){ADVICE}',
        ),
        (
            [
                "Encountered error while reading file file:///d/x.csv. Details:",
                RECORD.format("[2,null]"),
                "java.lang.NumberFormatException: x",
                "Malformed CSV record: 2,1",
            ],
            "file file:///d/x.csv holds a record that cannot be read as its columns say, [2,null] "
            f"(Malformed CSV record: 2,1){ADVICE}",
        ),
        (
            [
                RECORD.format('{"a":\n"x"}')
                + " Cannot parse the value 'x' of the field `a` as target spark data type "
                + '"DOUBLE". SQLSTATE: 22023',
            ],
            'a file holds a record that cannot be read as its columns say, {"a": "x"} (Cannot '
            "parse the value 'x' of the field `a` as target spark data type \"DOUBLE\")"
            f"{ADVICE}",
        ),
        (
            ["Malformed records are detected in schema inference. Parse Mode: FAILFAST.", "End"],
            f"a file holds a record that cannot be read as its columns say (End){ADVICE}",
        ),
        (
            [RECORD.format("x" * 1000)],
            f"a file holds a record that cannot be read as its columns say, {'x' * 200}...{ADVICE}",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(messages: list[str], told: str) -> None:
    causes = [Cause("org.apache.spark.SparkException", message) for message in messages]
    assert sentence(causes) == told


@pytest.mark.parametrize("messages", [[], [""], [READING], ["a schema"], ["FAILFAST"]])
def test_of_anything_else_nothing_is_said(messages: list[str]) -> None:
    assert unreadable([Cause("", message) for message in messages]) is None
