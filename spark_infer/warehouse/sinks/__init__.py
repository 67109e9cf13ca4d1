"""The target table: checked before, written by one run at a time, looked at again afterwards."""

from __future__ import annotations

from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.file_table import FileTable
from spark_infer.warehouse.sinks.sink import Published, Sink
from spark_infer.warehouse.sinks.writer import WRITING

__all__ = ["WRITING", "Coverage", "FileTable", "Published", "Sink"]
