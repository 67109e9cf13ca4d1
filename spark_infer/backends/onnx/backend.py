"""A session of ONNX Runtime as a backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort

from spark_infer.backends.backend import Array
from spark_infer.backends.host import HostBackend
from spark_infer.backends.onnx.guard import refused
from spark_infer.backends.onnx.session import run_options
from spark_infer.backends.onnx.tensors import Feed, Fetch


class OnnxBackend(HostBackend):
    """Runs a graph on the processor.

    Args:
        session: What runs it.
        feeds: How the signature's tensors go into it, in order.
        fetches: How its outputs come out, in order.
        row_independent: Whether a row's outputs do not depend on the rows beside it or on padding.
        stochastic: Whether equal rows may get different outputs.
    """

    _arenas: Sequence[str] = ("cpu:0",)

    def __init__(
        self,
        session: Any,
        feeds: Sequence[Feed],
        fetches: Sequence[Fetch],
        *,
        row_independent: bool = True,
        stochastic: bool = False,
    ) -> None:
        self.row_independent = row_independent
        self.stochastic = stochastic
        self._session = session
        self._feeds = list(feeds)
        self._fetches = list(fetches)
        self._names = [fetch.name for fetch in fetches]
        self._options = run_options()
        self._shrinks = False

    def run(self, tensors: Mapping[str, Array]) -> Sequence[Array]:
        """Run one batch."""
        given = {feed.name: feed.of(tensors[feed.name]) for feed in self._feeds}
        options = self._options
        if self._shrinks:
            options, self._shrinks = run_options(shrinks=self._arenas), False
        try:
            outputs = self._execute(given, options)
        except Exception as error:
            # What ONNX Runtime raises has no common class.
            if (reason := refused(error)) is not None:
                raise ValueError(reason) from None
            raise
        return [fetch.of(output) for fetch, output in zip(self._fetches, outputs, strict=True)]

    def _execute(self, given: Mapping[str, Array], options: ort.RunOptions) -> Sequence[Array]:
        outputs: Sequence[Array] = self._session.run(self._names, given, options)
        return outputs

    def release(self) -> None:
        """Collect garbage; the next run gives back what the session's arena does not use."""
        super().release()
        self._shrinks = True


class BoundBackend(OnnxBackend):
    """Runs a graph on a device; its tensors lie there while it runs.

    Args:
        session: What runs it.
        feeds: How the signature's tensors go into it.
        fetches: How its outputs come out.
        device: ``"cuda"``, or ``"cpu"``.
        number: The device's number.
        row_independent: As for ``OnnxBackend``.
        stochastic: As for ``OnnxBackend``.
    """

    def __init__(
        self,
        session: Any,
        feeds: Sequence[Feed],
        fetches: Sequence[Fetch],
        *,
        device: str,
        number: int = 0,
        row_independent: bool = True,
        stochastic: bool = False,
    ) -> None:
        super().__init__(
            session, feeds, fetches, row_independent=row_independent, stochastic=stochastic
        )
        self._device, self._number = device, number
        arenas = {"cpu:0", f"{'gpu' if device == 'cuda' else device}:{number}"}
        self._arenas = sorted(arenas)

    def _execute(self, given: Mapping[str, Array], options: ort.RunOptions) -> Sequence[Array]:
        binding = self._session.io_binding()
        values = []
        for name, array in given.items():
            if array.dtype == object:  # Text never leaves the host.
                binding.bind_cpu_input(name, array)
                continue
            value = ort.OrtValue.ortvalue_from_numpy(
                np.ascontiguousarray(array), self._device, self._number
            )
            values.append(value)  # What is bound has to live until the run is over.
            binding.bind_ortvalue_input(name, value)
        for fetch in self._fetches:
            if fetch.labels is None:
                binding.bind_output(fetch.name, self._device, self._number)
            else:
                binding.bind_output(fetch.name, "cpu")
        self._session.run_with_iobinding(binding, options)
        outputs: Sequence[Array] = binding.copy_outputs_to_cpu()
        return outputs
