"""Save a model as a bundle, after proving that it does what its signature says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from spark_infer.backends import load_backend
from spark_infer.backends.artifact import prepare_artifact
from spark_infer.bundle import Bundle, Manifest, ModelFormat, Signature
from spark_infer.bundle.bundle import write_bundle
from spark_infer.bundle.features import check_features
from spark_infer.engine.options import BatchOptions
from spark_infer.engine.predictor import Predictor
from spark_infer.engine.sample import zero_sample
from spark_infer.errors import PredictionError, SignatureError, nearest

if TYPE_CHECKING:
    import torch

_MAX_SAMPLE_ROWS = 1024
_TRIAL = BatchOptions(on_error="fail", dedupe=False)


def save_bundle(
    path: str | os.PathLike[str],
    model: torch.nn.Module,
    *,
    signature: Signature,
    sample: pa.RecordBatch | pa.Table | None = None,
    features: Mapping[str, str] | None = None,
    stochastic: bool = False,
    format: ModelFormat = "export",
    module: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    name: str | None = None,
    description: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> Bundle:
    """Save a trained model as a bundle. Nothing is left at ``path`` unless all of it worked.

    The saved bundle is loaded again and run on rows of zeros (one row and several), and on
    ``sample``, before it moves to ``path``.

    Args:
        path: Directory to create; a bundle that is already there is replaced.
        model: The trained model, called with the signature's tensors in order.
        signature: Typed inputs and outputs.
        sample: Rows with the signature's columns to try the model on (the first 1,024 are used).
        features: Spark SQL expression of each derived column, over the source columns: literals,
            operators, CASE, CAST, window functions and the built-in functions listed in
            ``spark_infer/bundle/features/functions.py``. A bundle reads nothing but its row and
            the rows of a window: what needs more (a subquery, a function of your own) belongs
            into the job file.
        stochastic: Whether equal rows may get different predictions (dropout, sampling); such a
            model's predictions are never cached or shared.
        format: ``"export"`` stores a torch.export program. ``"module"`` stores the weights and
            the import path of the model's class, for a model that cannot be exported.
        module: ``"package.module:Class"``, for ``format="module"``.
        arguments: Keyword arguments of that class, as JSON data.
        name: Human name; default: the last part of ``path``.
        description: One paragraph for people.
        metadata: Free JSON data.

    Returns:
        The saved bundle.

    Raises:
        BundleError: The model cannot be stored, or ``path`` is taken.
        SignatureError: The model fails on the rows, the sample or what the model returned does not
            fit the signature, a feature is no column of it, or one is more than a computation from
            columns.
    """
    target = Path(path)
    artifact = prepare_artifact(
        model, signature, format=format, module=module, arguments=arguments or {}
    )
    manifest = Manifest(
        name=name or target.name,
        model_format=format,
        signature=signature,
        features=dict(features or {}),
        stochastic=stochastic,
        model=artifact.description,
        description=description,
        metadata=dict(metadata or {}),
        built_with=artifact.built_with,
    )
    _check_features(manifest)

    def try_model(bundle: Bundle) -> None:
        allowed = () if module is None else (module.partition(":")[0],)
        backend = load_backend(bundle, allow_modules=allowed)
        predictor = Predictor(bundle, backend, _TRIAL)
        trials = [zero_sample(signature, 1), zero_sample(signature, 3)]
        if sample is not None:
            trials.append(sample.slice(0, _MAX_SAMPLE_ROWS))
        for trial in trials:
            _try(predictor, trial)

    return write_bundle(target, manifest, artifact.write, try_model)


def _check_features(manifest: Manifest) -> None:
    for feature in manifest.features:
        columns = manifest.signature.column_names
        if feature not in columns:
            raise SignatureError(
                f"feature {feature!r} is no column of the signature{nearest(feature, columns)}"
            )
    check_features(manifest.features)


def _try(predictor: Predictor, rows: pa.RecordBatch | pa.Table) -> None:
    try:
        predictor.predict(rows)
    except PredictionError as error:
        raise SignatureError(f"the bundle is not saved: {error}") from error
