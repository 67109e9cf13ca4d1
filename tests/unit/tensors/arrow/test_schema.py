from __future__ import annotations

import pyarrow as pa
import pytest

from spark_infer.bundle import ArrayInput, Input, Output, RaggedInput, ScalarInput, Signature
from spark_infer.errors import SignatureError
from spark_infer.tensors import check_schema, output_schema, packed_name
from spark_infer.tensors.arrow.schema import column_problem, column_type, wire_names

F32 = pa.float32()
SCALAR = ScalarInput("x", columns=["a"])
ARRAY = ArrayInput("x", column="a", shape=[2, 3])
RAGGED = RaggedInput("x", column="a")
MATRIX = RaggedInput("x", column="a", shape=[2])
STRUCTS = RaggedInput("x", column="a", fields=["p", "q"])


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (SCALAR, F32),
        (SCALAR, pa.dictionary(pa.int8(), F32)),
        (ARRAY, pa.list_(pa.large_list(F32))),
        (ARRAY, pa.list_(pa.list_(F32, 3), 2)),
        (ARRAY, pa.list_(pa.null())),
        (RAGGED, pa.list_(pa.dictionary(pa.int8(), F32))),
        (RAGGED, pa.list_(F32, 7)),
        (MATRIX, pa.list_(pa.list_(F32, 2))),
        (STRUCTS, pa.list_(pa.struct({"q": F32, "other": pa.string(), "p": pa.int8()}))),
        (STRUCTS, pa.list_(pa.null())),
        *((item, pa.null()) for item in (SCALAR, ARRAY, RAGGED, MATRIX, STRUCTS)),
    ],
)
def test_columns_that_fit(item: Input, kind: pa.DataType) -> None:
    assert column_problem(kind, item) is None


@pytest.mark.parametrize(
    ("item", "kind", "problem"),
    [
        (SCALAR, pa.list_(F32), "does not fit a tensor of float32"),
        (ARRAY, F32, "expected array<array<float>>, got float; gather values with array(...)"),
        (ARRAY, pa.list_(F32), "got array<float>; the input's shape says how many levels"),
        (ARRAY, pa.list_(pa.list_(pa.list_(F32))), "expected array<array<float>>, got array<array"),
        (
            ARRAY,
            pa.binary(),
            "got binary; decode it to an array first, or give the input transform=RawBytes()",
        ),
        (RAGGED, pa.string(), "expected array<float>, got string; split or parse it to an array"),
        (SCALAR, pa.binary(), "binary does not fit a tensor of float32; decode it to numbers"),
        (ARRAY, pa.list_(pa.list_(F32), 3), "expected arrays of length 2"),
        (ARRAY, pa.list_(pa.list_(F32, 2)), "expected arrays of length 3"),
        (RAGGED, pa.list_(pa.string()), "items: string does not fit a tensor of float32"),
        (RAGGED, pa.map_(pa.string(), F32), "expected array<float>, got map<string,float>"),
        (MATRIX, pa.list_(F32), "expected array<array<float>>, got array<float>"),
        (MATRIX, pa.list_(pa.list_(F32, 3)), "expected arrays of length 2"),
        (STRUCTS, F32, "expected array<struct<p:float,q:float>>, got float; gather them"),
        (STRUCTS, pa.list_(F32), "expected array<struct<p:float,q:float>>, got array<float>"),
        (STRUCTS, pa.list_(pa.struct({"p": F32, "qq": F32})), "no field 'q'; did you mean 'qq'?"),
        (STRUCTS, pa.list_(pa.struct({"p": pa.string(), "q": F32})), "field 'p': string does not"),
    ],
)
def test_columns_that_do_not_fit(item: Input, kind: pa.DataType, problem: str) -> None:
    assert problem in str(column_problem(kind, item))


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (SCALAR, "float"),
        (ARRAY, "array<array<float>>"),
        (RAGGED, "array<float>"),
        (MATRIX, "array<array<float>>"),
        (STRUCTS, "array<struct<p:float,q:float>>"),
        (ArrayInput("x", column="a", shape=[2], dtype="uint8"), "array<smallint>"),
        (RaggedInput("x", column="a", vocabulary=["w"]), "array<string>"),
        (ScalarInput("x", columns=["a"], vocabulary=[7]), "bigint"),
    ],
)
def test_the_type_of_the_columns_that_fit_best(item: Input, kind: str) -> None:
    assert column_type(item) == kind


def test_all_problems_come_in_one_message() -> None:
    inputs = [ScalarInput("x", columns=["amount", "hour", "day"]), RaggedInput("r", column="h")]
    schema = pa.schema([("amuont", F32), ("day", pa.string()), ("h", F32)])
    with pytest.raises(SignatureError) as caught:
        check_schema(inputs, schema, others=["hours"])
    message = str(caught.value)
    assert (
        "columns 'amount' (did you mean 'amuont'?), 'hour' (did you mean 'hours'?) are missing; "
    ) in message
    assert "column 'day' (input 'x'): string does not fit" in message
    assert "column 'h' (input 'r'): expected array<float>, got float" in message


def test_what_is_wrong_with_many_columns_is_said_once() -> None:
    names = [f"c{number}" for number in range(20)]
    inputs = [
        ScalarInput("x", columns=names),
        *(ArrayInput(f"image{n}", column=f"i{n}", shape=[2, 2], dtype="uint8") for n in range(7)),
    ]
    fields = dict.fromkeys(names, pa.string()) | {f"i{n}": pa.binary() for n in range(7)}
    with pytest.raises(SignatureError) as caught:
        check_schema(inputs, pa.schema(fields))
    assert str(caught.value) == (
        "the columns do not fit the bundle: columns 'c0', 'c1', 'c2', 'c3', 'c4' and 15 more "
        "(input 'x'): string does not fit a tensor of float32; cast to float what is a number (a "
        "feature can), and give an input of words a vocabulary; columns 'i0', 'i1', 'i2', 'i3', "
        "'i4' and 2 more (inputs 'image0', 'image1', 'image2', 'image3', 'image4' and 2 more): "
        "expected array<array<smallint>>, got binary; decode it to an array first, "
        "or give the input transform=RawBytes()"
    )


def test_many_missing_columns_are_counted() -> None:
    item = ScalarInput("x", columns=[f"column{number}" for number in range(8)])
    with pytest.raises(SignatureError) as caught:
        check_schema([item], pa.schema({"a": F32}))
    assert str(caught.value).endswith(
        ": columns 'column0', 'column1', 'column2', 'column3', 'column4' and 3 more are missing"
    )


@pytest.mark.parametrize("count", [1, 2])
def test_columns_of_a_csv_file_without_a_header_are_recognized(count: int) -> None:
    item = ScalarInput("x", columns=["amount", "hour"][:count])
    schema = pa.schema({"_c0": pa.string(), "_c1": pa.string()})
    with pytest.raises(
        SignatureError, match=r"missing; the columns are called _c0, _c1 and so on.*header to true"
    ):
        check_schema([item], schema)


def test_columns_that_are_all_strings_may_be_those_of_a_csv_file() -> None:
    item = ScalarInput("x", columns=["amount", "hour"])
    for other, hinted in ((pa.string(), True), (F32, False)):
        with pytest.raises(SignatureError) as caught:
            check_schema([item], pa.schema({"amount": pa.string(), "hour": other}))
        assert ("read without inferSchema or a schema" in str(caught.value)) is hinted


def test_a_column_must_be_there_once() -> None:
    with pytest.raises(SignatureError, match="column 'a' is there 2 times"):
        check_schema([SCALAR], pa.schema([("a", F32), ("a", F32)]))


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (Output("y"), F32),
        (Output("y", dtype="float16"), F32),
        (Output("y", dtype="uint8"), pa.int16()),
        (Output("y", dtype="bool"), pa.bool_()),
        (Output("y", dtype="int8", shape=[2, 3]), pa.list_(pa.list_(pa.int8()))),
        (Output("y", dtype="int64", labels=["a"]), pa.string()),
        (Output("y", lengths_of="r"), pa.list_(F32)),
        (Output("y", lengths_of="r", shape=[2]), pa.list_(pa.list_(F32))),
        (Output("y", lengths_of="r", labels=["a"]), pa.list_(pa.string())),
    ],
)
def test_an_output_becomes_a_column_that_a_warehouse_can_store(
    output: Output, kind: pa.DataType
) -> None:
    signature = Signature(inputs=[SCALAR, RaggedInput("r", column="h")], outputs=[output])
    assert output_schema(signature) == pa.schema([("y", kind), ("rejected_reason", pa.string())])


def test_packed_inputs_travel_under_a_name_that_no_input_has() -> None:
    item = ScalarInput("x", columns=["a", "b"])
    assert packed_name(item) == "x[]"
    signature = Signature(inputs=[item, RaggedInput("r", column="c")], outputs=[Output("y")])
    assert wire_names(signature) == ("a", "b", "c")
    assert wire_names(signature, {"x"}) == ("x[]", "c")
