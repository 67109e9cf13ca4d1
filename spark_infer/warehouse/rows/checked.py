"""What is looked at before staged rows are published, whatever the target."""

from __future__ import annotations

from spark_infer.errors import WarehouseError
from spark_infer.warehouse.config import JobConfig
from spark_infer.warehouse.rows.keys import Keys, check_keys
from spark_infer.warehouse.rows.rejects import check_rejects
from spark_infer.warehouse.rows.staged import Staged


def check_staged(staged: Staged, config: JobConfig) -> Keys:
    """Prove that all rows are there, each once, and that few enough are without a prediction.

    Raises:
        SparkInferError: They are not to be published.
    """
    keys = _keys(staged, config)
    if keys.rows != staged.rows:
        raise WarehouseError(
            f"{staged.rows:,} rows were scored, and {keys.rows:,} of them are staged; nothing "
            "was published, run again",
            transient=True,
        )
    max_rows = None if config.quarantine is None else config.quarantine.max_rows
    check_rejects(staged, config.batch.max_rejected_share, max_rows)
    return keys


def _keys(staged: Staged, config: JobConfig) -> Keys:
    """Count the rows, and prove that the key identifies each."""
    known = staged.partitions
    if known is None:
        return check_keys(staged.df, config.key, config.target.partition_by)
    if staged.is_unique:
        return Keys(staged.df.count(), known)
    return Keys(check_keys(staged.df, config.key).rows, known)
