"""A bundle's model, loaded into this process."""

from __future__ import annotations

import os
from collections.abc import Sequence

from spark_infer.backends import ModelOptions, load_backend
from spark_infer.bundle import Bundle
from spark_infer.model.local import LocalModel


def load_model(
    bundle: Bundle | str | os.PathLike[str],
    options: ModelOptions | None = None,
    *,
    allow_modules: Sequence[str] = (),
) -> LocalModel:
    """Load a bundle's model. Arguments and errors are those of ``backends.load_backend``."""
    return LocalModel(load_backend(bundle, options, allow_modules=allow_modules))
