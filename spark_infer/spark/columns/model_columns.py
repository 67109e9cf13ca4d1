"""The columns that a model reads, found among those of a DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql.types import DataType, StructField

from spark_infer.bundle import Input, Signature
from spark_infer.errors import SignatureError
from spark_infer.spark.columns.padded import padded_columns
from spark_infer.spark.features import Featured
from spark_infer.spark.names import Names
from spark_infer.spark.types import arrow_schema
from spark_infer.spark.wire import Source, by_name
from spark_infer.tensors import check_schema


@dataclass(frozen=True)
class ModelColumns:
    """The columns that a model reads, features among them.

    Attributes:
        signature: The model's, with struct fields as the columns spell them.
        columns: Each by the signature's name.
        types: Their types, by the same names.
    """

    signature: Signature
    columns: dict[str, Source]
    types: dict[str, DataType]

    @classmethod
    def find(cls, featured: Featured, signature: Signature, names: Names) -> ModelColumns:
        """Find the columns, each of which must be there once and fit its input."""
        names.check_readable(signature)
        wanted = names.index(signature.column_names)
        there: dict[str, list[tuple[str, StructField]]] = {n: [] for n in signature.column_names}
        others = []
        for spelled, field in featured.read(names):
            if read := wanted.get(names.key(spelled)):
                there[read[0]].append((spelled, field))
            else:
                others.append(spelled)
        for name, same in there.items():
            if len(same) > 1:
                raise SignatureError(names.ambiguous(name, [spelled for spelled, _ in same]))
        found = {name: same[0][1] for name, same in there.items() if same}
        types = {name: field.dataType for name, field in found.items()}
        schema = arrow_schema([StructField(*pair) for pair in types.items()])
        signature = names.with_fields(signature, schema)
        check_schema(signature.inputs, schema, others)
        _check_not_padded(featured, signature.inputs, found)
        columns: dict[str, Source] = {name: by_name(field.name) for name, field in found.items()}
        return cls(signature, columns, types)


def _check_not_padded(
    featured: Featured, inputs: Sequence[Input], found: Mapping[str, StructField]
) -> None:
    """Raise SignatureError for words that Spark pads with blanks, which are other words."""
    features = set(featured.features.values())
    made, words = set(), set()
    for item in inputs:
        columns = {found[name].name for name in item.column_names}
        made |= columns & features
        if item.vocabulary is not None or item.transform is not None:
            words |= columns
    if not made | words:
        return
    padded = padded_columns(featured.df, words, made)
    for item in inputs:
        for name in item.column_names:
            if kind := padded.get(found[name].name):
                raise SignatureError(
                    f"column {name!r} (input {item.name!r}): Spark fills the values of {kind}, "
                    "which it comes from, with blanks, which makes other words of them; remove "
                    "them in the source, or in the feature, with rtrim (inside an array by "
                    "transform)"
                )
