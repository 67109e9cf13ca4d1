"""A user's ONNX model as one graph: data files beside it are read in, ZipMap is taken out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto, TensorProto, external_data_helper

from spark_infer.backends.onnx.model.graph import MAX_BYTES, Graph, parse, serialize, words
from spark_infer.bundle.documents import shown
from spark_infer.bundle.files.given import open_given, read_given
from spark_infer.errors import BundleError


@dataclass(frozen=True)
class Given:
    """A model as its user has it.

    Attributes:
        graph: What is stored of it: one file, and tensors only.
        model: What bare ONNX Runtime runs: a path or the file's content.
        maps: Outputs of ZipMap by the names of the scores that are stored instead: the output's
            name, and the classes in the order of the scores.
    """

    graph: Graph
    model: str | bytes
    maps: dict[str, tuple[str, list[str] | list[int]]] = field(default_factory=dict)


def read_model(model: ModelProto | str | os.PathLike[str]) -> Given:
    """Read a model that a user gave.

    Raises:
        BundleError: It is none, lacks data, or cannot be stored; the message says what to do.
    """
    if isinstance(model, ModelProto):
        mine = ModelProto()
        mine.CopyFrom(model)
        bare: str | bytes = serialize(model)
    else:
        path = Path(model)
        mine = _read_file(path)
        bare = str(path)
    if mine.functions:
        mine = _inlined(mine)
    maps = _without_zipmap(mine)
    return Given(Graph.parse(serialize(mine)), bare, maps)


def _read_file(path: Path) -> ModelProto:
    try:
        content = read_given(path, MAX_BYTES)
    except OSError as error:
        raise BundleError(f"the model {path} cannot be read: {error.strerror}") from None
    try:
        model = parse(content)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None
    for tensor in external_data_helper._get_all_tensors(model):
        if external_data_helper.uses_external_data(tensor):
            _read_data(tensor, path.parent)
    return model


def _read_data(tensor: TensorProto, folder: Path) -> None:
    """Read what a tensor keeps in a file beside the model into the model."""
    said = {entry.key: entry.value for entry in tensor.external_data}
    location = said.get("location", "")
    file = folder / location
    inside = (
        bool(location) and not Path(location).is_absolute() and ".." not in Path(location).parts
    )
    if not inside or not file.resolve().is_relative_to(folder.resolve()):
        raise BundleError(
            f"the ONNX model keeps {tensor.name!r} in {shown(location)}, outside of its directory; "
            "save it anew with its data beside it: "
            "onnx.save(onnx.load(path), new_path, save_as_external_data=True)"
        )
    try:
        start = int(said.get("offset", 0))
        size = int(said["length"]) if "length" in said else -1
        if start < 0 or size > MAX_BYTES:
            raise ValueError("its size is none")
        with open_given(file) as data:
            data.seek(start)
            content = data.read(size if size >= 0 else MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError("its size is none")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BundleError(
            f"the ONNX model keeps {tensor.name!r} in {shown(location)}, which cannot be read "
            f"({reason}); put the data file beside the .onnx file"
        ) from None
    if size >= 0 and len(content) != size:
        raise BundleError(
            f"the ONNX model keeps {tensor.name!r} in {shown(location)}, which ends too early; "
            "export the model again"
        )
    tensor.raw_data = content
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _inlined(model: ModelProto) -> ModelProto:
    """Return a model in which its own functions are written out where they are called."""
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:
        # It is C++ code that raises what it likes.
        raise BundleError(
            f"the ONNX model defines functions of its own that cannot be written out ({error}); "
            "export it without them"
        ) from None


def _without_zipmap(model: ModelProto) -> dict[str, tuple[str, list[str] | list[int]]]:
    """Let a graph return scores where it returned maps of them by class."""
    graph = model.graph
    found = {}
    for node in [node for node in graph.node if node.op_type == "ZipMap"]:
        if len(node.input) != 1 or len(node.output) != 1:
            raise BundleError(
                "a ZipMap of the ONNX model has not one input and one output; export it again, of "
                "scikit-learn with options={'zipmap': False}"
            )
        scores, output = node.input[0], node.output[0]
        (value,) = [one for one in graph.output if one.name == output] or (None,)
        if value is None:
            continue
        classes: list[str] | list[int] = []
        for attribute in node.attribute:
            if attribute.name == "classlabels_strings":
                classes = words(attribute.strings)
            elif attribute.name == "classlabels_int64s":
                classes = list(attribute.ints)
        kind = onnx.helper.make_tensor_type_proto(TensorProto.FLOAT, [None, len(classes)])
        value.name = scores
        value.type.CopyFrom(kind)
        graph.node.remove(node)
        found[scores] = (output, classes)
    _drop_unused(graph)
    return found


def _drop_unused(graph: GraphProto) -> None:
    """Remove nodes whose results nobody reads, such as a cast of the label for a map."""
    wanted = {value.name for value in graph.output}
    for node in graph.node:
        wanted.update(node.input)
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                return
    for node in reversed(list(graph.node)):
        if not wanted.intersection(node.output):
            graph.node.remove(node)
