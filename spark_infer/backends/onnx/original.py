"""A user's ONNX model in bare ONNX Runtime, to compare the stored one with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spark_infer.backends.backend import Array
from spark_infer.backends.onnx.backend import OnnxBackend
from spark_infer.backends.onnx.dynamic import row_by_row
from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.backends.onnx.model.read import Given
from spark_infer.backends.onnx.session import make_session
from spark_infer.backends.onnx.tensors import feeds_of, fetches_of
from spark_infer.backends.original import Stateless
from spark_infer.bundle import Signature
from spark_infer.errors import SignatureError


class OnnxOriginal(Stateless, OnnxBackend):
    """Runs the file as it is, before anything of it was changed.

    Args:
        given: The user's model.
        graph: What is stored of it.
        signature: Its inputs and outputs.
        takes_one_row: Whether the file takes one row at a time.
    """

    def __init__(
        self, given: Given, graph: Graph, signature: Signature, *, takes_one_row: bool
    ) -> None:
        session = make_session(given.model)
        super().__init__(session, feeds_of(graph, signature), fetches_of(graph, signature))
        self.resolution = graph.resolution
        self.num_weights = graph.num_weights
        self._random = graph.random
        self._takes_one_row = takes_one_row
        self._maps = [given.maps.get(name) for name in self._names]
        self._files_names = [
            name if found is None else found[0]
            for name, found in zip(self._names, self._maps, strict=True)
        ]

    def check_draws_nothing(self) -> None:
        """Raise SignatureError where the graph has an operator that draws random numbers."""
        if self._random:
            raise SignatureError(
                f"the bundle is not saved: the ONNX model draws random numbers "
                f"({self._random[0]}); export it for inference, or save it with stochastic=True"
            )

    def _execute(self, given: Mapping[str, Array], options: Any) -> Sequence[Array]:
        if self._takes_one_row:
            return row_by_row(self._session, self._files_names, given)
        outputs = self._session.run(self._files_names, given, options)
        return [
            output
            if found is None
            else np.array([[row[one] for one in found[1]] for row in output], np.float32)
            for output, found in zip(outputs, self._maps, strict=True)
        ]
