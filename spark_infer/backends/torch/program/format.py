"""The format ``export``: a traced program."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

from spark_infer.backends.formats import Prepared
from spark_infer.backends.module_path import MODULE_FORMAT
from spark_infer.backends.torch.format import TorchFormat
from spark_infer.backends.torch.program.graph import load_program
from spark_infer.bundle import Bundle, Signature
from spark_infer.errors import BundleError


class ExportFormat(TorchFormat):
    """Stores what torch.export makes of a module."""

    name = "export"
    is_program = True
    hint = (
        "the traced program keeps one way through the model's Python code; write the model "
        f"without branches on sizes or values, or {MODULE_FORMAT}"
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
        """Trace the module."""
        # Tracing needs much that loading does not.
        from spark_infer.backends.torch.program.export import export

        if module is not None or arguments:
            raise BundleError("module and arguments belong to format='module'")
        return Prepared({}, export(model, signature, one_row=one_row, shown=shown).write)

    def rebuild(self, bundle: Bundle, device: str, allow_modules: Sequence[str]) -> torch.nn.Module:
        """Build the program's module; no code but torch's own operators is run."""
        return load_program(
            bundle.artifact_path,
            device,
            len(bundle.signature.tensor_names),
            stochastic=bundle.manifest.stochastic,
        )


FORMAT = ExportFormat()
