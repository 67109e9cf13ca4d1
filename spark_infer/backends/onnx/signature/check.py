"""A signature that was given, beside the graph that it is of."""

from __future__ import annotations

from spark_infer.backends.onnx.model.graph import Graph
from spark_infer.backends.onnx.model.text import words_of
from spark_infer.backends.onnx.model.types import STRING, GraphTensor
from spark_infer.bundle import Input, InputTensor, RaggedInput, ScalarInput, Signature
from spark_infer.errors import SignatureError, nearest, some


def check_signature(graph: Graph, signature: Signature) -> None:
    """Check that a graph has the tensors of a signature.

    Raises:
        SignatureError: A tensor has no name, type or shape of the graph's, or one is missing.
    """
    for item in signature.inputs:
        for tensor in item.tensors:
            _check_input(graph, item, tensor)
    missing = [str(t) for name, t in graph.inputs.items() if name not in signature.tensor_names]
    if missing:
        raise SignatureError(
            f"the ONNX model also takes {some(missing)}, which no input of the signature feeds; "
            "add inputs, or mask=si.Mask(tensor=NAME) or zeros=[NAME] to a ragged one"
        )
    for output in signature.outputs:
        known = graph.outputs.get(output.tensor_name)
        if known is None:
            raise SignatureError(
                f"output {output.name!r}: the ONNX model returns no {output.tensor_name!r}, but "
                f"{some(list(map(str, graph.outputs.values())), 8)}"
                f"{nearest(output.tensor_name, graph.outputs)}; set tensor= to one of these"
            )
        if known.dtype == STRING and (output.labels is None or output.dtype[:3] != "int"):
            raise SignatureError(
                f"output {output.name!r}: the ONNX model returns text, so give it its labels and "
                "dtype='int64'"
            )


def _check_input(graph: Graph, item: Input, tensor: InputTensor) -> None:
    known = graph.inputs.get(tensor.name)
    if known is None:
        raise SignatureError(
            f"input {item.name!r}: the ONNX model takes no {tensor.role} {tensor.name!r}, but "
            f"{some(list(map(str, graph.inputs.values())), 8)}"
            f"{nearest(tensor.name, graph.inputs)}; set "
            "tensor= (or mask=False, mask=si.Mask(tensor=...), presence=False)"
        )
    if known.dtype == STRING:
        _check_words(graph, item, known)
    elif known.signature_dtype != tensor.dtype:
        raise SignatureError(
            f"input {item.name!r}: its {tensor.role} {tensor.name!r} are {tensor.dtype}, and the "
            f"ONNX model takes {known}; set dtype={known.signature_dtype!r}"
        )
    assert known.dims is not None
    wanted = _dims(item, tensor, known)
    fits = len(known.dims) == len(wanted) and all(
        not isinstance(there, int) or here in (None, there)
        for here, there in zip(wanted[1:], known.dims[1:], strict=True)
    )
    if not fits:
        shape = ", ".join("any" if dim is None else str(dim) for dim in wanted)
        raise SignatureError(
            f"input {item.name!r}: its {tensor.role} have shape ({shape}), and the ONNX model "
            f"takes {known}; correct the columns or the shape"
        )
    is_open = isinstance(item, RaggedInput) and item.pad_to is None
    if is_open and tensor.role != "present" and isinstance(known.dims[1], int):
        raise SignatureError(
            f"input {item.name!r}: the ONNX model takes one length only ({known}); give the input "
            f"pad_to={known.dims[1]}, or export the model with a dynamic length"
        )


def _dims(item: Input, tensor: InputTensor, known: GraphTensor) -> tuple[int | None, ...]:
    if tensor.role == "mask":
        return (None, None)
    if isinstance(item, ScalarInput):
        size = len(item.column_names)
        flat = known.dims is not None and len(known.dims) == 1 and size == 1
        return (None,) if flat else (None, size)
    lengths = (item.pad_to,) if isinstance(item, RaggedInput) else ()
    return (None, *lengths, *item.item_shape)


def _check_words(graph: Graph, item: Input, known: GraphTensor) -> None:
    words = words_of(graph, known.name)
    if item.vocabulary is None or set(words) - set(map(str, item.vocabulary)):
        raise SignatureError(
            f"input {item.name!r}: the ONNX model takes text and knows the words "
            f"{some([repr(word) for word in words])}; give the input all of them as its "
            "vocabulary, or pass inputs instead of a signature and they are read"
        )
