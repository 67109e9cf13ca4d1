"""The sink for a target, by what the target can do."""

from __future__ import annotations

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.sinks.coverage import Coverage
from spark_infer.warehouse.sinks.files.file_table import FileTable
from spark_infer.warehouse.sinks.iceberg.find import is_iceberg
from spark_infer.warehouse.sinks.iceberg.iceberg_table import IcebergTable
from spark_infer.warehouse.sinks.iceberg.source_columns import SourceColumns
from spark_infer.warehouse.sinks.jdbc.jdbc_table import JdbcTable
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
        WarehouseError: The catalog cannot be asked, or the target cannot do what the job asks for.
    """
    if target.config.jdbc is not None:
        return JdbcTable(target, coverage)
    table = target.table()
    if is_iceberg(target.spark, target.name, table):
        return (SourceColumns if target.config.is_in_source else IcebergTable)(target, coverage)
    if target.config.is_in_source:
        raise WarehouseError(
            f"target.into: source table {target.config.table!r} is not one of Iceberg, whose rows "
            "alone are updated where they are; use mode overwrite or append: the predictions "
            "stand in a table beside it, and a view joins both"
        )
    if table is None:
        is_of_files = (
            target.name.catalog == SESSION_CATALOG and target.config.format.lower() in FILES
        )
    else:
        is_of_files = table.is_of_files
    if is_of_files and target.is_merged:
        raise WarehouseError(
            f"target.mode merge: table {target.config.table!r} is one of files, which take no "
            "MERGE; name a table of a catalog with row-level SQL such as Iceberg, or use mode "
            "overwrite or append"
        )
    return (FileTable if is_of_files else SqlTable)(target, coverage)
