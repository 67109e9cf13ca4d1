"""The format ``module``: the import path of a class, its arguments, and weights."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from spark_infer.backends.formats import Prepared
from spark_infer.backends.module_path import ModulePath
from spark_infer.backends.torch.format import TorchFormat
from spark_infer.backends.torch.module.attributes import check_attributes
from spark_infer.backends.torch.module.classes import build, find_class, load_module
from spark_infer.backends.torch.weights import save_weights
from spark_infer.bundle import Bundle, Signature
from spark_infer.errors import BundleError


class ModuleFormat(TorchFormat):
    """Stores what a module is made from. Its code stays outside of the bundle."""

    name = "module"
    is_program = False
    hint = (
        "what is rebuilt from arguments and state_dict lacks something, such as plain "
        "attributes or buffers with persistent=False; pass it as arguments"
    )

    def prepare(
        self,
        model: torch.nn.Module,
        signature: Signature,
        *,
        module: str | None,
        arguments: Mapping[str, Any],
        one_row: bool,
        shown: Collection[tuple[int, ...]],
    ) -> Prepared:
        """Check that the class can be imported and made, and that the state is tensors."""
        if module is None:
            raise BundleError("format='module' needs module='package.module:Class'")
        try:
            json.dumps(dict(arguments), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BundleError(f"arguments of {module!r} must be JSON data: {error}") from None
        path = ModulePath.parse(module, where="save_bundle")
        check_attributes(model, build(path, arguments, (path.module,), where="save_bundle"))
        state = model.state_dict()
        for name, value in state.items():
            if not isinstance(value, torch.Tensor):
                raise BundleError(
                    f"the model's state holds {name!r}, a {type(value).__name__}, and a bundle "
                    "stores tensors only; return a tensor from get_extra_state(), or pass it as "
                    "an argument"
                )
        description = {"module": module, "arguments": dict(arguments)}
        return Prepared(description, lambda root: save_weights(root, state))

    def rebuild(self, bundle: Bundle, device: str, allow_modules: Sequence[str]) -> torch.nn.Module:
        """Import the class and make one of it."""
        return load_module(bundle.artifact_path, bundle.manifest.base.model, allow_modules)

    def find_class(
        self, path: ModulePath, allow_modules: Sequence[str], *, where: str
    ) -> type[torch.nn.Module]:
        """Import the class."""
        return find_class(path, allow_modules, where=where)


FORMAT = ModuleFormat()
