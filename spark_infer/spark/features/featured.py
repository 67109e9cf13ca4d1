"""Rows with the features of a bundle beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pyspark.sql import DataFrame
from pyspark.sql.types import StructField

from spark_infer.spark.names import Names


@dataclass(frozen=True)
class Featured:
    """Rows with what a model reads of them beside their own columns.

    Attributes:
        df: The rows. The features stand behind the columns that were there, under names that
            nobody can have written.
        features: The name of each feature's column, by the feature's name.
        others: The features of further models, by what these are called.
    """

    df: DataFrame
    features: Mapping[str, str]
    others: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, other: str) -> Featured:
        """Return the same rows with the features of another model."""
        others = {name: columns for name, columns in self.others.items() if name != other}
        return replace(self, features=self.others[other], others={"": self.features, **others})

    @property
    def given(self) -> list[str]:
        """Names of the columns that the rows had."""
        added = self._added
        return [name for name in self.df.columns if name not in added]

    @property
    def _added(self) -> set[str]:
        each = (self.features, *self.others.values())
        return {column for columns in each for column in columns.values()}

    def column(self, name: str, *, where: str) -> str:
        """Return the name in ``df`` of a column, or of a feature where no column has its name.

        Raises:
            ConfigError: There is none, or there are several; the message begins with ``where``.
        """
        names = Names.of_session(self.df.sparkSession)
        given = self.given
        if names.find(name, given) or not names.find(name, self.features):
            return names.one(name, given, where=where)
        return self.features[names.one(name, list(self.features), where=where)]

    def read(self, names: Names) -> list[tuple[str, StructField]]:
        """Return what a model finds: the features, and the columns that have no feature's name.

        Args:
            names: The rule by which names are the same.

        Returns:
            Name and column of each; several of one name where the rows have them.
        """
        fields = {field.name: field for field in self.df.schema.fields}
        features = names.index(self.features)
        added = self._added
        return [
            *((name, fields[column]) for name, column in self.features.items()),
            *(
                (field.name, field)
                for field in self.df.schema.fields
                if field.name not in added and names.key(field.name) not in features
            ),
        ]
