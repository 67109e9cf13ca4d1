"""Which column names are the same, and what is done about it."""

from __future__ import annotations

import pyarrow as pa
import pytest

import spark_infer as si
from spark_infer.errors import ConfigError, SignatureError
from spark_infer.spark.names import Names, unused

FOLDED, EXACT = Names(case_sensitive=False), Names(case_sensitive=True)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("id", "ID", True),
        ("É", "é", True),
        ("ΚΩΔΙΚΟΣ", "κωδικος", True),
        ("\N{KELVIN SIGN}", "k", True),
        ("straße", "STRASSE", False),
        ("\N{LATIN SMALL LETTER DOTLESS I}d", "ID", False),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i", False),
        ("\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}", False),
        ("a", "a ", False),
    ],
)
def test_names_are_folded_as_spark_folds_them(one: str, other: str, same: bool) -> None:
    assert (FOLDED.find(one, [other]) == [other]) is same
    assert EXACT.find(one, [other]) == []
    assert EXACT.find(one, [one]) == FOLDED.find(one, [one]) == [one]


def test_one_column_is_found_by_its_own_spelling() -> None:
    assert FOLDED.one("ID", ["a", "id"], where="key") == "id"
    assert EXACT.one("ID", ["ID", "id"], where="key") == "ID"
    with pytest.raises(ConfigError, match=r"key: column 'idd' is missing; did you mean 'id'\?"):
        FOLDED.one("idd", ["a", "id"], where="key")
    with pytest.raises(ConfigError, match=r"key: column 'id' is there 2 times \('id', 'ID'\)"):
        FOLDED.one("id", ["id", "ID"], where="key")
    with pytest.raises(ConfigError, match="key: column 'id' is there 2 times; rename"):
        EXACT.one("id", ["id", "id"], where="key")


def test_the_columns_of_a_result_are_distinct() -> None:
    groups = {"prediction column": ["score"], "key column": ["id"], "kept column": ["ID"]}
    EXACT.check_distinct(groups, hint="rename it")
    with pytest.raises(
        ConfigError, match=r"^kept column 'ID' has the name of a key column \('id'\); rename it$"
    ):
        FOLDED.check_distinct(groups, hint="rename it")
    with pytest.raises(ConfigError, match=r"^key column 'a' is named twice; rename it$"):
        EXACT.check_distinct({"key column": ["a", "b", "a"]}, hint="rename it")


def test_arguments_are_bound_by_name() -> None:
    assert FOLDED.bind(["a", "b"], [1], {"B": 2}) == {"a": 1, "b": 2}
    assert FOLDED.bind(["a", "A"], [], {"A": 2, "a": 1}) == {"a": 1, "A": 2}
    with pytest.raises(SignatureError, match=r"'Ab' may be any of \['AB', 'ab'\]"):
        FOLDED.bind(["AB", "ab"], [], {"Ab": 2})
    with pytest.raises(SignatureError, match=r"no argument 'B'; did you mean 'b'\?"):
        EXACT.bind(["a", "b"], [1], {"B": 2})
    with pytest.raises(SignatureError, match="argument 'A' is given twice"):
        FOLDED.bind(["a", "b"], [1], {"A": 2})
    with pytest.raises(SignatureError, match=r"takes 2 argument\(s\) \(a, b\), got 3"):
        FOLDED.bind(["a", "b"], [1, 2, 3], {})


def test_a_model_that_reads_two_columns_of_one_name_is_refused() -> None:
    signature = si.Signature(
        inputs=[si.ScalarInput("x", columns=["a", "A"])], outputs=[si.Output("y")]
    )
    EXACT.check_readable(signature)
    with pytest.raises(SignatureError, match=r"reads the columns \['a', 'A'\], which are one"):
        FOLDED.check_readable(signature)


def structs(*fields: str) -> pa.Schema:
    inner = pa.struct([pa.field(name, pa.float32()) for name in fields])
    return pa.schema([pa.field("v", pa.list_(inner))])


def test_struct_fields_are_found_by_the_same_rule() -> None:
    signature = si.Signature(
        inputs=[si.RaggedInput("v", column="v", fields=["gap", "amount"])], outputs=[si.Output("y")]
    )

    def fields(names: Names, *there: str) -> object:
        return names.with_fields(signature, structs(*there)).inputs[0].fields  # type: ignore[attr-defined]

    assert fields(FOLDED, "Amount", "other", "GAP") == ("GAP", "Amount")
    assert fields(EXACT, "Gap", "gap", "amount") == ("gap", "amount")
    assert fields(EXACT, "Gap", "amount") == ("gap", "amount")
    with pytest.raises(SignatureError, match=r"2 fields of the name 'gap' \('Gap', 'gap'\)"):
        fields(FOLDED, "Gap", "gap", "amount")
    with pytest.raises(SignatureError, match="2 fields of the name 'gap'"):
        fields(EXACT, "gap", "gap", "amount")


def test_unused_names_are_none_of_those_taken() -> None:
    assert unused(["a", "_0", "_2"], 2) == ["_1", "_3"]
