"""What a booster predicts, and which tensors a signature can take of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.bundle import Output
from spark_infer.bundle.columns import INTEGER_DTYPES
from spark_infer.errors import SignatureError, nearest

PROBABILITY, PREDICTION, MARGIN, LABEL = "probability", "prediction", "margin", "label"

Kind = Literal["classes", "targets", "number", "raw"]


@dataclass(frozen=True)
class Task:
    """What a booster predicts.

    Attributes:
        kind: The probability of ``classes``; of ``targets``, any of which a row may have; a
            ``number``, or several; or ``raw`` margins of an objective that the library does not
            know, so that nothing else can be made of them.
        objective: What the library calls the objective.
        width: Numbers for each row: 1 for two classes.
        dtype: NumPy name of their type.
    """

    kind: Kind
    objective: str
    width: int
    dtype: str

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the tensors that there are, the first one first."""
        if self.kind == "classes":
            return (PROBABILITY, LABEL, MARGIN)
        if self.kind == "targets":
            return (PROBABILITY, MARGIN)
        return (MARGIN,) if self.kind == "raw" else (PREDICTION, MARGIN)

    @property
    def num_classes(self) -> int:
        """Number of classes, of a task that has some."""
        return max(2, self.width)

    def outputs(self, labels: Sequence[str] | None) -> list[Output]:
        """Return the outputs of a signature that says none.

        Args:
            labels: Names of the classes, if they have some.

        Raises:
            SignatureError: The objective is not known.
        """
        if self.kind == "raw":
            raise SignatureError(
                f"the booster was trained with {self.objective}, and the library does not know "
                "how its margins become predictions; to predict the margins as they are, pass "
                "outputs=[si.Output('margin')]"
            )
        shape = () if self.width == 1 else (self.width,)
        found = [Output(self.tensors[0], dtype=self.dtype, shape=shape)]
        if labels is not None:
            found.append(Output(LABEL, dtype="int64", labels=labels))
        return found

    def tensor(self, output: Output) -> str:
        """Return the name of the tensor that an output takes.

        Raises:
            SignatureError: There is none, or its shape or type is another.
        """
        where = f"output {output.name!r}"
        is_label = output.labels is not None or LABEL in (output.name, output.tensor)
        if self.kind == "targets" and is_label:
            raise SignatureError(
                f"{where} is one label, and the booster predicts {self.width} targets of which a "
                f"row may have any ({self.objective}); take the probability of each by "
                f"si.Output('probability', shape=[{self.width}]), or train one booster for each"
            )
        if output.labels is not None and self.kind != "classes":
            raise SignatureError(
                f"{where} has labels, and the booster predicts a number ({self.objective}); leave "
                "them out, or train a classifier"
            )
        if output.lengths_of is not None:
            raise SignatureError(f"{where}: a booster follows no ragged input; leave lengths_of")
        name = self._name(output)
        if output.labels is not None and len(output.labels) != self.num_classes:
            raise SignatureError(
                f"{where} has {len(output.labels)} labels, and the booster {self.num_classes} "
                "classes; give each class one, in the order of their numbers"
            )
        if name == LABEL:
            if output.dtype not in INTEGER_DTYPES or output.shape:
                raise SignatureError(
                    f"{where} takes the number of a class; give it dtype='int64' and no shape"
                )
            return name
        shapes = [() if self.width == 1 else (self.width,)]
        if name == PROBABILITY and self.width == 1:
            shapes.append((2,))
        if output.tensor_shape not in shapes:
            raise SignatureError(
                f"{where} is of shape {output.tensor_shape}, and the booster's {name} of "
                f"{' or '.join(map(str, shapes))}; correct the shape"
            )
        if np.dtype(output.dtype).kind != "f":
            raise SignatureError(
                f"{where} is of {output.dtype}, and the booster's {name} of {self.dtype}; correct "
                "the dtype"
            )
        return name

    def _name(self, output: Output) -> str:
        if output.tensor is not None:
            if output.tensor not in self.tensors:
                raise SignatureError(
                    f"output {output.name!r}: the booster ({self.objective}) has no tensor "
                    f"{output.tensor!r}{nearest(output.tensor, self.tensors)}; it has "
                    f"{list(self.tensors)}"
                )
            return output.tensor
        if output.name in self.tensors:
            return output.name
        if output.labels is not None and output.dtype in INTEGER_DTYPES:
            return LABEL
        if self.kind == "raw":
            raise SignatureError(
                f"output {output.name!r}: the booster was trained with {self.objective}, and the "
                "library does not know how its margins become predictions; to predict the margins "
                "as they are, give the output tensor='margin'"
            )
        return self.tensors[0]


def label_of(probability: Array) -> Array:
    """Return the number of the likeliest class, shape (rows,): of equal ones the first."""
    if probability.shape[1] == 1:
        return np.asarray(probability[:, 0] > 0.5).astype(np.int64)
    return np.asarray(probability.argmax(axis=1)).astype(np.int64)


def of_both_classes(probability: Array) -> Array:
    """Return the probabilities of both classes, shape (rows, 2), from that of the second."""
    return np.concatenate([1 - probability, probability], axis=1)
