"""What a report says of a challenger, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spark_infer.report.page.numbers import count, percent, value


def told(challenger: Mapping[str, Any]) -> str:
    """Return what came of a challenger, in a line."""
    bundle, found = challenger["bundle"], challenger["disagreement"]
    text = f"{bundle.get('name', '')} {bundle.get('digest', '')[:12]}".strip()
    text += ", shadow" if challenger["shadow"] else ""
    if found is None:
        return text
    text += f": {count(found['compared'])} of {count(found['rows'])} rows compared"
    for output in found["outputs"]:
        if output["share"] is not None:
            text += f"; {difference(output, challenger['tolerance'])}"
    if found["rejected_by_challenger"]:
        text += f"; it alone rejects {count(found['rejected_by_challenger'])}"
    if found["rejected_by_champion"]:
        text += f"; the champion alone {count(found['rejected_by_champion'])}"
    if found["problem"]:
        text += f" ({found['problem']})"
    return text


def difference(output: Mapping[str, Any], tolerance: float) -> str:
    """Return how far an output is apart, in words."""
    if output["kind"] == "label":
        return f"{output['output']} is another in {percent(output['share'])}"
    return (
        f"{output['output']} differs by {value(output['mean_difference'])} on average, "
        f"{value(output['max_difference'])} at most, in {percent(output['share'])} by more than "
        f"{tolerance:g}"
    )
