"""Run a scoring job: ``spark-submit scripts/score.py JOB --set date=2018-08-08``.

The arguments are those of ``spark-infer score``.
"""

from __future__ import annotations

import sys

from spark_infer.cli.main import main

if __name__ == "__main__":
    main(["score", *sys.argv[1:]])
