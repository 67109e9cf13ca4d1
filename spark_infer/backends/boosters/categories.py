"""Lists of categories whose features a booster does not name, and which these are.

LightGBM keeps the categories of each pandas column in the order of the frame, without its name, and
of columns that it takes as numbers too: ordered ones, and those that ``categorical_feature`` leaves
out. A list is given to a feature only where no other one could have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pat

from spark_infer.bundle.inputs.input import Vocabulary
from spark_infer.errors import SignatureError, some

_MAX_ROWS = 4096

Fits = Callable[[int, Vocabulary], bool]


@dataclass(frozen=True)
class Categories:
    """Lists of categories in the order of their features.

    Attributes:
        lists: The lists.
        codes: Greatest number of each feature that had whole numbers from 0 only in training, by
            position; -1 of one that never varied.
    """

    lists: Sequence[Vocabulary]
    codes: Mapping[int, int]

    def placed(
        self,
        names: Sequence[str] | None,
        sample: pa.RecordBatch | pa.Table | None,
        given: Mapping[int, Vocabulary] | None,
    ) -> Mapping[int, Vocabulary]:
        """Return the list of each feature that has one, by position.

        Args:
            names: Names of the features.
            sample: Rows, whose values and types tell.
            given: What a user's signature gives to its features; None without a signature.

        Raises:
            SignatureError: It is not certain.
        """
        if given is not None:
            places = sorted(given)
            is_same = [given[place] for place in places] == [*self.lists]
            if is_same and all(map(self._fits, places, self.lists)):
                return given
            raise self._unknown("the signature gives them to other features, or in another order")
        tests: list[Fits] = [self._fits]
        if sample is not None and names is not None:
            rows = _Rows(names, sample.slice(0, _MAX_ROWS))
            tests = [
                lambda place, words: self._fits(place, words) and rows.is_of_type(place, words),
                lambda place, words: self._fits(place, words) and rows.holds(place, words),
            ]
        for fits in tests:
            ways, found = self._ways(fits)
            if ways == 1:
                return found
        raise self._unknown("several features could have them" if ways else "no features fit them")

    def _fits(self, place: int, words: Vocabulary) -> bool:
        return place in self.codes and self.codes[place] < len(words)

    def _ways(self, fits: Fits) -> tuple[int, Mapping[int, Vocabulary]]:
        """Return in how many ways features can have the lists, 2 for more, and the first way."""
        ways = [1, *(0 for _ in self.lists)]
        first: dict[int, Vocabulary] = {}
        for place in sorted(self.codes):
            matching = [fits(place, words) for words in self.lists]
            if len(first) < len(self.lists) and matching[len(first)]:
                first[place] = self.lists[len(first)]
            for number in reversed(range(len(self.lists))):
                if matching[number]:
                    ways[number + 1] = min(2, ways[number + 1] + ways[number])
        return ways[-1], first

    def _unknown(self, reason: str) -> SignatureError:
        lists = some([some([*map(repr, words)], 3) for words in self.lists], 3)
        return SignatureError(
            f"the booster keeps categories of its pandas frame ({lists}) and not the columns that "
            f"they are of, and {reason}; pass sample=FRAME with the columns as in training, of "
            "type category, or a signature that gives vocabulary=[...] to each of these columns"
        )


@dataclass(frozen=True)
class _Rows:
    names: Sequence[str]
    sample: pa.RecordBatch | pa.Table

    def is_of_type(self, place: int, words: Vocabulary) -> bool:
        """Return whether a column is of a type that has these categories."""
        column = self._column(place)
        if column is None or not pat.is_dictionary(column.type):
            return False
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        return all(chunk.dictionary.to_pylist() == [*words] for chunk in chunks)

    def holds(self, place: int, words: Vocabulary) -> bool:
        """Return whether a column holds nothing but such categories."""
        column = self._column(place)
        if column is None:
            return False
        values = {value for value in column.to_pylist() if value is not None and value == value}
        return values <= {*words}

    def _column(self, place: int) -> pa.Array | pa.ChunkedArray | None:
        name = self.names[place]
        return self.sample.column(name) if name in self.sample.schema.names else None
