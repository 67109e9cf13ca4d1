"""Save a model as a bundle, after proving that it does what its signature says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from types import NoneType
from typing import Any

from spark_infer.backends import load_backend
from spark_infer.backends.formats import FORMATS, Said, built_with, find_format
from spark_infer.backends.recognize import recognize
from spark_infer.bundle import Artifact, Bundle, Manifest, ModelFormat, Output, Signature
from spark_infer.bundle.artifact import BASE
from spark_infer.bundle.bundle import write_bundle
from spark_infer.bundle.documents import check_kind
from spark_infer.bundle.features import check_features
from spark_infer.bundle.places import Place, as_place
from spark_infer.bundle.places.upload import upload_bundle
from spark_infer.engine.profile import profile_of
from spark_infer.engine.proof import Proof
from spark_infer.engine.proof.checks.fresh import FreshProcess
from spark_infer.engine.proof.proof import SMALL
from spark_infer.engine.table import TableLike, as_table
from spark_infer.errors import BundleError

_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "signature": ((Signature, NoneType), "a Signature"),
    "inputs": ((Mapping, NoneType), "a dict of columns by the model's name of an input"),
    "columns": ((list, tuple, NoneType), "a list of columns"),
    "outputs": ((list, tuple, NoneType), "a list of Output"),
    "task": ((str, NoneType), "text"),
    "features": ((Mapping, NoneType), "a dict of SQL expressions by column name"),
    "source_types": ((Mapping, NoneType), "a dict of kinds of types by column name"),
    "stochastic": ((bool,), "True or False"),
    "row_independent": ((bool,), "True or False"),
    "format": ((str, NoneType), " or ".join(map(repr, FORMATS))),
    "module": ((str, NoneType), "text such as 'package.module:Class'"),
    "arguments": ((Mapping, NoneType), "a dict of the class's keyword arguments"),
    "name": ((str, NoneType), "text"),
    "description": ((str,), "text"),
    "metadata": ((Mapping, NoneType), "a dict of JSON data"),
}


_HINT_ELSEWHERE = (
    "so it does in a Python that begins anew, as executors do: this process has changed something "
    "that the model's code depends on, such as a global, or a function that was replaced; pass it "
    "as an argument of the class"
)


def save_bundle(
    path: str | os.PathLike[str],
    model: Any,
    *,
    signature: Signature | None = None,
    inputs: Mapping[str, Any] | None = None,
    columns: Sequence[Any] | None = None,
    outputs: Sequence[Output] | None = None,
    task: str | None = None,
    sample: TableLike | None = None,
    profile: TableLike | None = None,
    features: Mapping[str, str] | None = None,
    source_types: Mapping[str, str] | None = None,
    stochastic: bool = False,
    row_independent: bool = True,
    format: ModelFormat | None = None,
    module: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    name: str | None = None,
    description: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> Bundle:
    """Save a trained model as a bundle. Nothing is left at ``path`` unless all of it worked.

    What the engine relies on is shown first, on random rows (the same in every run) that cover
    the signature, and on ``sample``: the stored model answers as the model does; a row's answer
    does not depend on the rows beside it or before it, nor on padding behind its end. Answers may
    differ by 1e-4 of their value and of the usual size of their component (which counts as 0.5
    where it is less and a fiftieth of it allows as much), by more in half precision, and for
    numbers above 100 by what rounding of these does; of answers far from 0 beside their distances
    from each other these distances count, and 1e-5 of the value. Answers that are NaN, or all the
    same, show nothing: such a model needs a sample. The model is left as it was.

    Args:
        path: Directory to create; a bundle that is already there is replaced. Or a URI (see
            ``Bundle.load``) where nothing is yet: the bundle is uploaded, and read back.
        model: The trained model: a torch module, which is called with the signature's tensors in
            order, or what the README lists under "Models that teams have".
        signature: Typed inputs and outputs. A torch module needs one; what another model says of
            itself is read where there is none, and compared with it where there is.
        inputs: Instead of a signature, the columns of each input by the model's name for it: a
            list of columns, the name of one (an array or a number), or an input.
        columns: The same for a model with one input of numbers.
        outputs: Instead of a signature, the outputs of a model that says itself what it predicts.
        task: What a model of Hugging Face is for: ``"embedding"``, ``"classification"`` or
            ``"token-classification"``.
        sample: Rows with the signature's columns to try the model on (the first 1,024 are used): a
            table, a dict of columns or a pandas frame.
        profile: Rows with the signature's columns, such as those of the training, whose
            distributions and those of the predictions the bundle keeps (``profile.json``), so that
            a job's gate can compare with them: counts by quantiles, and no row. A table, a dict of
            columns or a pandas frame.
        features: Spark SQL expression of each derived column, over the source columns: literals,
            operators, CASE, CAST, window functions and the built-in functions listed in
            ``spark_infer/bundle/features/functions.py``. A bundle reads nothing but its row and
            the rows of a window: what needs more (a subquery, a function of your own) belongs
            into the job file.
        source_types: What kind of type source columns have for which the features are written, by
            name: ``{"ts": "timestamp"}``. A source where one is of another kind is refused; numbers
            of any width are one kind.
        stochastic: Whether equal rows may get different predictions (dropout, sampling); such a
            model's predictions are never cached or shared, and only their shapes are checked.
        row_independent: False for a model whose answer to a row depends on the rows beside it or
            on padding. Its rows run one at a time, unpadded, without repeats and cache.
        format: How a torch module is stored; other models have one format. ``"export"``, the
            default, stores a torch.export program. ``"module"`` stores the weights and the import
            path of the model's class, for a model that cannot be exported.
        module: ``"package.module:Class"``, for ``format="module"``.
        arguments: Keyword arguments of that class, as JSON data.
        name: Human name; default: the last part of ``path``.
        description: One paragraph for people.
        metadata: Free JSON data.

    Returns:
        The saved bundle; of a URI, the copy in this machine's cache.

    Raises:
        BundleError: The model cannot be stored, the stored model answers otherwise, or ``path`` is
            taken.
        SignatureError: The model fails on the rows, the sample or what the model returned does not
            fit the signature, rows depend on each other or on padding, a feature is no column of
            it, or one is more than a computation from columns.
    """
    target = as_place(path, name="the bundle's path", what="bundle", error=BundleError)
    _check_kinds(
        signature=signature,
        inputs=inputs,
        columns=columns,
        outputs=outputs,
        task=task,
        features=features,
        source_types=source_types,
        stochastic=stochastic,
        row_independent=row_independent,
        format=format,
        module=module,
        arguments=arguments,
        name=name,
        description=description,
        metadata=metadata,
    )
    check_features(features or {})
    kind = format or recognize(model)
    storing = find_format(kind)
    rows = None if sample is None else as_table(sample, where="sample")
    profiled = None if profile is None else as_table(profile, where="profile")
    taken = storing.take(
        model,
        Said(
            signature=signature,
            inputs=inputs,
            columns=columns,
            outputs=outputs,
            task=task,
            sample=rows,
            row_independent=row_independent,
        ),
    )
    row_independent = row_independent and not taken.one_row
    with storing.original(taken.model, taken.signature) as original:
        proof = Proof(
            taken.signature,
            sample=rows,
            synthetic=taken.synthetic,
            stochastic=stochastic,
            row_independent=row_independent,
            resolution=original.resolution,
            is_small=original.num_weights < SMALL,
        )
        proof.check_model(original)
        if not stochastic:
            original.check_unchanged()
            original.check_draws_nothing()
        if not stochastic or module is None:
            original.check_asks_no_time()
        proof.check_history(original)
        proof.check_evidence()
        # What it keeps of the rows that it was tried on is not stored.
        original.restore()
        prepared = storing.prepare(
            taken.model,
            proof.signature,
            module=module,
            arguments=arguments or {},
            one_row=not row_independent,
            shown=proof.shapes,
        )
        # The stored model runs the same code, which may keep something outside of both.
        original.restore()
        original.forget_weights()
        manifest = Manifest(
            name=name or target.name,
            artifacts={BASE: Artifact(format=storing.name, model=prepared.description)},
            signature=proof.signature,
            features=dict(features or {}),
            source_types=dict(source_types or {}),
            stochastic=stochastic,
            row_independent=row_independent,
            description=description,
            metadata=dict(metadata or {}),
            built_with=built_with(kind),
        )

        allowed = () if module is None else (module.partition(":")[0],)

        def check(bundle: Bundle) -> None:
            proof.check_bundle(load_backend(bundle, allow_modules=allowed), hint=storing.hint)
            if module is not None and not stochastic:
                with FreshProcess(bundle.path, allowed) as elsewhere:
                    proof.check_bundle(elsewhere, hint=_HINT_ELSEWHERE)

        examples = proof.examples()
        describe = None if profiled is None else partial(profile_of, profiled, allowed)
        if isinstance(target, Place):
            return upload_bundle(target, manifest, prepared.write, check, examples, describe)
        return write_bundle(target, manifest, prepared.write, check, examples, describe)


def _check_kinds(**given: object) -> None:
    for option, value in given.items():
        kinds, wanted = _KINDS[option]
        check_kind(value, kinds, name=option, wanted=wanted, error=BundleError)
