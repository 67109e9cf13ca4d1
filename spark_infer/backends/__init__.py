"""Backends run tensors. This folder is the only home of torch."""

from __future__ import annotations

from spark_infer.backends.backend import Array, Backend, Pending
from spark_infer.backends.failures.fault import is_device_fault
from spark_infer.backends.failures.memory import Memory, is_out_of_memory, process_memory
from spark_infer.backends.function import FunctionBackend
from spark_infer.backends.host import HostBackend
from spark_infer.backends.load import load_backend
from spark_infer.backends.options import ModelOptions, Precision

__all__ = [
    "Array",
    "Backend",
    "FunctionBackend",
    "HostBackend",
    "Memory",
    "ModelOptions",
    "Pending",
    "Precision",
    "is_device_fault",
    "is_out_of_memory",
    "load_backend",
    "process_memory",
]
