"""Run a checkout's ``scripts/bench.py`` and tell which ``spark_infer`` it imported.

A program: ``python child.py CHECKOUT/scripts/bench.py FILE ARGUMENTS...`` runs the script as
``python CHECKOUT/scripts/bench.py ARGUMENTS...`` does, and writes the path of the package to FILE.
Scripts that know nothing of comparisons can be asked so.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the script in this process; the file stays away if it imports no ``spark_infer``."""
    _, script, file, *arguments = sys.argv
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        package = sys.modules.get("spark_infer")
        if package is not None:
            Path(file).write_text(str(package.__file__), encoding="utf-8")


if __name__ == "__main__":
    main()
