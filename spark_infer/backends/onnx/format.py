"""The format ``onnx``: a graph of the ONNX standard, in one file."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spark_infer.backends.backend import Backend
from spark_infer.backends.formats import Format, Prepared, Said, Taken
from spark_infer.backends.onnx.backend import BoundBackend, OnnxBackend
from spark_infer.backends.onnx.dynamic import made_dynamic, takes_one_row
from spark_infer.backends.onnx.model.graph import MAX_BYTES, Graph
from spark_infer.backends.onnx.model.read import Given, read_model
from spark_infer.backends.onnx.original import OnnxOriginal
from spark_infer.backends.onnx.session import check_provider, make_session, providers_for
from spark_infer.backends.onnx.signature.check import check_signature
from spark_infer.backends.onnx.signature.infer import infer_signature
from spark_infer.backends.onnx.signature.roles import check_axes
from spark_infer.backends.onnx.tensors import feeds_of, fetches_of
from spark_infer.backends.options import ModelOptions
from spark_infer.bundle import Bundle, Signature
from spark_infer.errors import BundleError, SignatureError

GRAPH_FILE = "model.onnx"

_logger = logging.getLogger("spark_infer")


@dataclass(frozen=True)
class OnnxModel:
    """A model to be stored.

    Attributes:
        given: What the user gave.
        graph: What is stored of it.
        takes_one_row: Whether the user's file takes one row at a time.
    """

    given: Given
    graph: Graph
    takes_one_row: bool


class OnnxFormat(Format):
    """Stores a graph, which ONNX Runtime runs."""

    name = "onnx"
    hint = (
        "the file was changed while it was saved, or the graph computes otherwise for other batches"
        "; pass row_independent=False to run rows one by one"
    )

    def take(self, model: Any, said: Said) -> Taken:
        """Read the file, and its signature where none is given."""
        if said.task is not None:
            raise BundleError("task is for directories of Hugging Face; leave it out for ONNX")
        read, one_row = take_graph(read_model(model), row_independent=said.row_independent)
        if said.signature is None:
            signature = infer_signature(
                read.graph,
                said,
                one_row=takes_one_row(read.graph),
                renamed={scores: output for scores, (output, _) in read.given.maps.items()},
            )
        elif said.inputs is not None or said.columns is not None:
            raise BundleError("give a signature, or the columns of inputs, not both")
        else:
            check_signature(read.graph, said.signature)
            signature = said.signature
        return Taken(read, signature, one_row)

    def original(
        self, model: OnnxModel, signature: Signature
    ) -> AbstractContextManager[OnnxOriginal]:
        """Return the user's own file in bare ONNX Runtime."""
        return nullcontext(
            OnnxOriginal(model.given, model.graph, signature, takes_one_row=model.takes_one_row)
        )

    def prepare(
        self,
        model: OnnxModel,
        signature: Signature,
        *,
        module: str | None,
        arguments: Mapping[str, Any],
        one_row: bool,
        shown: Collection[tuple[int, ...]],
    ) -> Prepared:
        """Return what writes the graph."""
        if module is not None or arguments:
            raise BundleError("module and arguments belong to format='module'")
        content = model.graph.content

        def write(root: Path) -> None:
            (root / GRAPH_FILE).write_bytes(content)

        return Prepared({}, write)

    def load(self, bundle: Bundle, options: ModelOptions, allow_modules: Sequence[str]) -> Backend:
        """Check the graph and give it to ONNX Runtime."""
        providers = providers_for(options, bundle.digest)
        where = f"bundle {bundle.path}"
        file = bundle.artifact_path / GRAPH_FILE
        try:
            if file.stat().st_size > MAX_BYTES:
                raise BundleError(f"{where}: {GRAPH_FILE} is larger than a graph can be")
            content = file.read_bytes()
        except OSError as error:
            raise BundleError(f"{where}: {GRAPH_FILE} cannot be read: {error.strerror}") from None
        try:
            graph = Graph.parse(content)
            check_signature(graph, bundle.signature)
            feeds = feeds_of(graph, bundle.signature)
            fetches = fetches_of(graph, bundle.signature)
            session = make_session(content, providers=providers, threads=options.threads)
        except (BundleError, SignatureError, KeyError, TypeError, ValueError) as error:
            # What is damaged may also be found by those who read it.
            raise BundleError(f"{where}: the model cannot be loaded: {error}") from None
        check_provider(session, providers)
        kind, _, number = options.device.partition(":")
        make = (
            OnnxBackend
            if kind == "cpu"
            else partial(BoundBackend, device="cuda", number=int(number or 0))
        )
        return make(
            session,
            feeds,
            fetches,
            row_independent=bundle.manifest.row_independent,
            stochastic=bundle.manifest.stochastic,
        )


def take_graph(given: Given, *, row_independent: bool) -> tuple[OnnxModel, bool]:
    """Return what is stored of a model, and whether it runs one row at a time.

    Raises:
        BundleError: It takes no rows.
    """
    graph = given.graph
    check_axes(graph.inputs, graph.outputs)
    if not takes_one_row(graph):
        return OnnxModel(given, graph, False), False
    dynamic = made_dynamic(graph) if row_independent else None
    if dynamic is not None:
        return OnnxModel(given, dynamic, True), False
    if row_independent:
        _logger.warning(
            "the ONNX model was exported for one row, and computes otherwise for several: rows run "
            "one by one, which is slow; export it with a dynamic first axis"
        )
    return OnnxModel(given, graph, True), True


FORMAT = OnnxFormat()
