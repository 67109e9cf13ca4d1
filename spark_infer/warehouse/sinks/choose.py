"""The sink for a target, by what the target can do."""

from __future__ import annotations

from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.files.file_table import FileTable
from spark_infer.warehouse.sinks.name import SESSION_CATALOG
from spark_infer.warehouse.sinks.sink import Sink
from spark_infer.warehouse.sinks.sql.sql_table import SqlTable
from spark_infer.warehouse.sinks.table import FILES
from spark_infer.warehouse.sinks.target import Target


def choose_sink(target: Target, coverage: Coverage) -> Sink:
    """Return the sink that can do most for a target.

    Args:
        target: The table.
        coverage: Which rows of it the run replaces.

    Raises:
        WarehouseError: The catalog cannot be asked.
    """
    table = target.table()
    if table is None:
        is_of_files = (
            target.name.catalog == SESSION_CATALOG and target.config.format.lower() in FILES
        )
    else:
        is_of_files = table.is_of_files
    return (FileTable if is_of_files else SqlTable)(target, coverage)
