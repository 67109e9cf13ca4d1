"""What the formats of torch models have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import ClassVar

import torch

from spark_infer.backends.backend import Backend
from spark_infer.backends.formats import Format, Said, Taken
from spark_infer.backends.options import ModelOptions
from spark_infer.backends.torch.backend import TorchBackend, check_device
from spark_infer.backends.torch.cuda import CudaBackend
from spark_infer.backends.torch.eager import (
    EagerBackend,
    check_arguments,
    check_model,
    check_parameters,
    eager_backend,
)
from spark_infer.backends.torch.weights import WEIGHTS_FILE
from spark_infer.bundle import Bundle, Signature
from spark_infer.bundle.artifact import BASE, artifact_folder
from spark_infer.bundle.files.mapped import MappedFile
from spark_infer.errors import BundleError, SparkInferError


class TorchFormat(Format):
    """A format whose models are torch modules before they are stored and after they are loaded.

    Attributes:
        is_program: Whether what is loaded is a program's module and not code, see ``TorchBackend``.
    """

    is_program: ClassVar[bool]

    def take(self, model: torch.nn.Module, said: Said) -> Taken:
        """Return the module: its signature has to be said."""
        return Taken(model, said.check_only_signature())

    def original(
        self, model: torch.nn.Module, signature: Signature
    ) -> AbstractContextManager[EagerBackend]:
        """Return the module in evaluation mode as a backend."""
        check_model(model)
        check_arguments(model, signature.tensor_names)
        check_parameters(model, signature.tensor_names)
        return eager_backend(model, [output.tensor_name for output in signature.outputs])

    def load(
        self,
        bundle: Bundle,
        options: ModelOptions,
        allow_modules: Sequence[str],
    ) -> Backend:
        """Rebuild the module and put it on its device."""
        check_device(options.device)
        # Opened before it is mapped: both are then the file that load_backend finds unchanged.
        weights = MappedFile(bundle.path, f"{artifact_folder(BASE)}/{WEIGHTS_FILE}")
        try:
            module = self.rebuild(bundle, options.device, allow_modules)
        except SparkInferError:
            raise
        except Exception as error:
            # torch, safetensors and the module's own code raise what they like.
            raise BundleError(
                f"bundle {bundle.path}: the model cannot be rebuilt: {error}"
            ) from error
        on_device = options.device.startswith("cuda")
        kind = CudaBackend if on_device else partial(TorchBackend, weights=weights)
        return kind(
            module,
            [output.tensor_name for output in bundle.signature.outputs],
            device=options.device,
            precision=options.precision,
            threads=options.threads,
            row_independent=bundle.manifest.row_independent,
            stochastic=bundle.manifest.stochastic,
            is_program=self.is_program,
        )

    @abstractmethod
    def rebuild(self, bundle: Bundle, device: str, allow_modules: Sequence[str]) -> torch.nn.Module:
        """Return the module with its weights mapped, on the processor or already on ``device``."""
