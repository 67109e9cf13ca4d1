"""What the README says of job files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

README = Path(__file__).parents[3] / "README.md"


def example(title: str) -> dict[str, Any]:
    """Return the part of a job file that stands below a heading."""
    text = README.read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    found = yaml.safe_load(code)
    assert isinstance(found, dict)
    return found
