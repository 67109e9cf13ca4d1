"""``python -m spark_infer`` is ``spark-infer``."""

from __future__ import annotations

from spark_infer.cli.main import main

if __name__ == "__main__":
    main()
