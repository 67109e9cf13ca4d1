"""The features of a booster: their names, order and categories, and the inputs that give them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import pyarrow as pa

from spark_infer.backends.boosters.categories import Categories
from spark_infer.bundle import Column, Input, RaggedInput, ScalarInput, Signature
from spark_infer.bundle.inputs.input import Vocabulary
from spark_infer.errors import SignatureError, nearest, some

MISSING = -1
"""Id of a category that is null or unknown: both are missing to the booster."""

_NO_NAME = re.compile("Column_[0-9]+")


@dataclass(frozen=True)
class Features:
    """The features of a booster, in its order.

    Attributes:
        count: How many there are.
        names: Their names; None of a booster that was trained on arrays.
        categories: Values of those that are categories, by position: the booster wants their
            numbers.
        unplaced: Values of categories whose features the booster does not say, if it has some.
    """

    count: int
    names: tuple[str, ...] | None
    categories: Mapping[int, Vocabulary] = field(default_factory=dict)
    unplaced: Categories | None = None

    @classmethod
    def of(
        cls,
        count: int,
        names: Sequence[str],
        categories: Mapping[int, Vocabulary] | None = None,
        *,
        unplaced: Categories | None = None,
    ) -> Features:
        """Return features by the names that a library says: LightGBM's own are none."""
        named = len(names) == count and not all(map(_NO_NAME.fullmatch, names))
        return cls(count, tuple(names) if named else None, categories or {}, unplaced)

    def placed(
        self, sample: pa.RecordBatch | pa.Table | None, signature: Signature | None
    ) -> Features:
        """Return the features with categories where a sample, or a signature, tells their place.

        Raises:
            SignatureError: Neither does.
        """
        if self.unplaced is None:
            return self
        given: dict[int, Vocabulary] | None = None if signature is None else {}
        place = 0
        for item in () if signature is None else signature.inputs:
            size = 1 if isinstance(item, RaggedInput) else prod(item.item_shape)
            if given is not None and item.vocabulary is not None:
                given |= dict.fromkeys(range(place, place + size), item.vocabulary)
            place += size
        categories = self.unplaced.placed(self.names, sample, given)
        return replace(self, categories=categories, unplaced=None)

    def inputs(self, columns: Sequence[str] | None, dtype: str) -> list[Input]:
        """Return inputs whose tensors, side by side, are the features.

        Neighboring numbers are one input, so that they arrive as one tensor; each category is one
        with a vocabulary.

        Args:
            columns: Name of each feature's column; None for the features' own.
            dtype: Type of the numbers.

        Raises:
            SignatureError: The names do not fit, or there are none.
        """
        names = self._columns(columns)
        found: list[Input] = []
        numbers: list[str] = []
        for place, name in enumerate(names):
            if place in self.categories:
                found += _numbers(numbers, found, dtype)
                numbers = []
                found.append(
                    ScalarInput(
                        f"category_{place}",
                        columns=[Column(name, nulls=MISSING)],
                        dtype="int32",
                        vocabulary=self.categories[place],
                        unknown_id=MISSING,
                    )
                )
            else:
                numbers.append(name)
        return [*found, *_numbers(numbers, found, dtype)]

    def _columns(self, columns: Sequence[str] | None) -> Sequence[str]:
        if self.names is None:
            if columns is None:
                raise SignatureError(
                    "the booster does not name its features, as it was trained on an array; pass "
                    f"columns=[...], the name of each of its {self.count} features in their order"
                )
            if len(columns) != self.count:
                raise SignatureError(
                    f"there are {len(columns)} columns, and the booster has {self.count} features; "
                    "name each of them in their order"
                )
            return columns
        if columns is None or tuple(columns) == self.names:
            return self.names
        for name in self.names:
            if name not in columns:
                raise SignatureError(
                    f"the booster's feature {name!r} is none of the columns "
                    f"{some([*map(str, columns)], 10)}{_or_else(name, columns)}"
                )
        for name in columns:
            if name not in self.names:
                raise SignatureError(
                    f"column {name!r} is no feature of the booster{nearest(name, self.names)}; "
                    "leave it out, or leave columns out altogether"
                )
        raise SignatureError(
            f"the columns {some([*columns], 10)} are in another order than the booster's features "
            f"{some([*self.names], 10)}; leave columns out"
        )

    def check(self, signature: Signature) -> None:
        """Raise SignatureError unless a signature's tensors, side by side, are the features."""
        count = 0
        for item in signature.inputs:
            where = f"input {item.name!r}"
            if isinstance(item, RaggedInput):
                raise SignatureError(
                    f"{where} is ragged, and a booster takes a fixed number of features; give it "
                    "an ArrayInput or the columns of a ScalarInput"
                )
            if item.presence:
                raise SignatureError(
                    f"{where}: a booster takes no tensor that says which values are present; leave "
                    "presence out, and let nulls become missing values (nulls='nan')"
                )
            for place, column in enumerate(_named(item), count):
                self._check_place(place, column, item)
            count += prod(item.item_shape)
        if count != self.count:
            raise SignatureError(
                f"the inputs hold {count} numbers for each row, and the booster has {self.count} "
                "features; give each feature its place"
            )

    def _check_place(self, place: int, column: str | None, item: Input) -> None:
        if place >= self.count:
            return
        name = None if self.names is None else self.names[place]
        if name is not None and column is not None and column != name:
            raise SignatureError(
                f"input {item.name!r} has column {column!r} where the booster has feature {name!r}"
                f"{_or_else(name, [column])}; order the columns as the features"
            )
        words = self.categories.get(place)
        if words is not None and item.vocabulary != words:
            raise SignatureError(
                f"input {item.name!r}: feature {name or place!r} of the booster is a category of "
                f"{some([*map(repr, words)], 5)}; give it vocabulary=[...] with all of these in "
                "this order, or leave the signature out"
            )


def _named(item: Input) -> Iterator[str | None]:
    """Yield the column of each number of an input; None of those of an array."""
    if isinstance(item, ScalarInput):
        yield from item.column_names
    else:
        yield from [None] * prod(item.item_shape)


def _numbers(columns: Sequence[str], before: Sequence[Input], dtype: str) -> list[Input]:
    if not columns:
        return []
    name = f"features_{len(before)}" if before else "features"
    return [ScalarInput(name, columns=[Column(c, nulls="nan") for c in columns], dtype=dtype)]


def _or_else(name: str, columns: Sequence[str]) -> str:
    close = nearest(name, columns)
    return f"{close or ';'} where it has another name, pass features={{{name!r}: 'that name'}}"
