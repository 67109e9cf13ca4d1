"""Column names, told apart as Spark tells them apart."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.types as pat

from spark_infer.bundle import Input, RaggedInput, Signature
from spark_infer.bundle.columns import instead
from spark_infer.errors import ConfigError, SignatureError, nearest
from spark_infer.tensors.arrow.types import is_list

if TYPE_CHECKING:
    from pyspark import TaskContext
    from pyspark.sql import SparkSession

T = TypeVar("T")
_SETTING = "spark.sql.caseSensitive"


@dataclass(frozen=True)
class Names:
    """The rule by which column names are the same or different.

    Spark finds a column by its name in lower case (not casefold: ``STRASSE`` is not ``straße``)
    unless ``spark.sql.caseSensitive`` is true. Every look-up and every check of names goes
    through here. A column that was found is then referred to by its own spelling.

    Attributes:
        case_sensitive: Whether ``a`` and ``A`` are two names.
    """

    case_sensitive: bool

    @classmethod
    def of_session(cls, spark: SparkSession) -> Names:
        """Return the rule of a session."""
        return cls(_is_true(spark.conf.get(_SETTING, "false")))

    @classmethod
    def of_task(cls, task: TaskContext | None) -> Names:
        """Return the rule of the query that a task belongs to."""
        return cls(_is_true(None if task is None else task.getLocalProperty(_SETTING)))

    def key(self, name: str) -> str:
        """Return what two spellings of the same name have in common."""
        return name if self.case_sensitive else name.lower()

    def find(self, name: str, known: Iterable[str]) -> list[str]:
        """Return the spellings in ``known`` that are this name."""
        key = self.key(name)
        return [other for other in known if self.key(other) == key]

    def index(self, known: Iterable[str]) -> dict[str, list[str]]:
        """Return the spellings of each name, by its key: ``find`` for many names at once."""
        found: dict[str, list[str]] = {}
        for name in known:
            found.setdefault(self.key(name), []).append(name)
        return found

    def one(self, name: str, known: Sequence[str], *, where: str) -> str:
        """Return the one spelling in ``known`` that is this name.

        Raises:
            ConfigError: There is none, or there are several; the message begins with ``where``.
        """
        found = self.find(name, known)
        if not found:
            raise ConfigError(f"{where}: column {name!r} is missing{instead(name, known)}")
        if len(found) > 1:
            raise ConfigError(f"{where}: {self.ambiguous(name, found)}")
        return found[0]

    def ambiguous(self, name: str, found: Sequence[str]) -> str:
        """Say that several columns have a name, and what to do."""
        spelled = "" if set(found) == {name} else f" ({', '.join(map(repr, found))})"
        return f"column {name!r} is there {len(found)} times{spelled}; rename or drop the others"

    def bind(
        self, names: Sequence[str], given: Sequence[T], named: Mapping[str, T]
    ) -> dict[str, T]:
        """Match arguments with the names of a model's columns.

        Raises:
            SignatureError: Too many, too few, unknown or repeated arguments.
        """
        bound = dict(zip(names, given, strict=False))
        for name, value in named.items():
            found = [name] if name in names else self.find(name, names)
            if not found:
                raise SignatureError(
                    f"the model has no argument {name!r}{nearest(name, names)}; its arguments are "
                    f"{', '.join(names)}"
                )
            if len(found) > 1:
                raise SignatureError(f"argument {name!r} may be any of {found}; spell it as one")
            known = found[0]
            if known in bound:
                raise SignatureError(f"argument {name!r} is given twice")
            bound[known] = value
        missing = [name for name in names if name not in bound]
        if missing or len(given) > len(names):
            raise SignatureError(
                f"the model takes {len(names)} argument(s) ({', '.join(names)}), got "
                f"{len(given) + len(named)}"
            )
        return bound

    def check_distinct(self, groups: Mapping[str, Iterable[str]], *, hint: str) -> None:
        """Prove that the columns of a result have different names.

        Args:
            groups: Names by what they are: ``{"kept column": [...], "prediction column": [...]}``.
            hint: What to do about two columns of one name.

        Raises:
            ConfigError: Two of them have the same name.
        """
        seen: dict[str, tuple[str, str]] = {}
        for what, names in groups.items():
            for name in names:
                key = self.key(name)
                if key in seen:
                    other, spelled = seen[key]
                    clash = f"has the name of a {other}" if other != what else "is named twice"
                    also = "" if spelled == name else f" ({spelled!r})"
                    raise ConfigError(f"{what} {name!r} {clash}{also}; {hint}")
                seen[key] = (what, name)

    def check_readable(self, signature: Signature) -> None:
        """Prove that a model's source columns can be told apart by name.

        Raises:
            SignatureError: Two differ only by case, and that is no difference here.
        """
        for found in self.index(signature.column_names).values():
            if len(found) > 1:
                raise SignatureError(
                    f"the model reads the columns {found}, which are one name in the Spark "
                    f"session; set {_SETTING} to true, or pass the columns in order to predict_udf"
                )

    def with_fields(self, signature: Signature, schema: pa.Schema) -> Signature:
        """Return the signature with the struct fields of its inputs as the columns spell them.

        Args:
            signature: What the model reads.
            schema: The columns, by the signature's names.

        Raises:
            SignatureError: Several fields of a struct have the same name.
        """
        return dataclasses.replace(
            signature, inputs=[self._fields_of(item, schema) for item in signature.inputs]
        )

    def _fields_of(self, item: Input, schema: pa.Schema) -> Input:
        if not isinstance(item, RaggedInput) or not item.fields:
            return item
        position = schema.get_field_index(item.column)
        there = _struct_fields(schema.field(position).type) if position >= 0 else []
        if not there:
            return item
        spelled = []
        for name in item.fields:
            found = self.find(name, there)
            if len(found) > 1:
                raise SignatureError(
                    f"column {item.column!r} (input {item.name!r}): the structs have {len(found)} "
                    f"fields of the name {name!r} ({', '.join(map(repr, found))}); rename them"
                )
            # Whoever checks the column says best which field is missing.
            spelled += found or [name]
        return dataclasses.replace(item, fields=spelled)


def unused(taken: Iterable[str], count: int) -> list[str]:
    """Return some column names that differ by any rule from those taken."""
    # Without letters there is no case: Spark folds those of some alphabets in several ways.
    names = set(taken)
    free = (name for number in itertools.count() if (name := f"_{number}") not in names)
    return list(itertools.islice(free, count))


def _struct_fields(kind: pa.DataType) -> list[str]:
    inner = kind.value_type if is_list(kind) else kind
    if not pat.is_struct(inner):
        return []
    return [inner.field(position).name for position in range(inner.num_fields)]


def _is_true(setting: str | None) -> bool:
    return setting is not None and setting.strip().lower() == "true"
