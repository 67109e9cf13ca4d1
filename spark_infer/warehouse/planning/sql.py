"""What a run reads, as one statement of SQL."""

from __future__ import annotations

from collections.abc import Mapping

from spark_infer.bundle import Bundle
from spark_infer.spark.wire import quoted
from spark_infer.warehouse.config import JobConfig


def reading_sql(
    config: JobConfig, bundle: Bundle, challengers: Mapping[str, Bundle] | None = None
) -> str:
    """Return what is read, computed and kept before the model sees it.

    The run builds the same of Spark's own parts, each checked for itself, and does not parse this.
    """
    source = config.source
    place = source.table or f"{source.format}.{quoted(source.path or '')}"
    text = f"SELECT * FROM {place}"
    if source.filter:
        text += f" WHERE {_condition(source.filter)}"
    text = _with(text, config.features)
    text = _with(text, bundle.features)
    carried = [*config.key, *config.target.keep]
    names = dict.fromkeys([*carried, *bundle.signature.column_names])
    for name, other in (challengers or {}).items():
        # Two models may call different features by one name.
        own = {each: f"{name}.{each}" for each in other.features}
        text = _with(text, {own[each]: sql for each, sql in other.features.items()})
        names |= dict.fromkeys(own.get(each, each) for each in other.signature.column_names)
    text = f"SELECT {', '.join(map(quoted, names))} FROM ({text})"
    if config.rows:
        text += f" WHERE {_condition(config.rows)}"
    if config.order_by:
        text += f" ORDER BY {', '.join(map(_one_line, config.order_by))}"
    return text


def _with(text: str, features: Mapping[str, str]) -> str:
    if not features:
        return text
    columns = ", ".join(f"{_one_line(sql)} AS {quoted(name)}" for name, sql in features.items())
    return f"SELECT *, {columns} FROM ({text})"


def _condition(sql: str) -> str:
    return f"({_one_line(sql)})"


def _one_line(sql: str) -> str:
    """Return SQL as it is, in one line where no comment or text goes over its end."""
    lines = sql.strip().splitlines()
    is_plain = not any(mark in sql for mark in ("--", "'", '"', "/*"))
    return " ".join(line.strip() for line in lines) if is_plain else sql.strip()
