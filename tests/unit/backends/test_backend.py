from __future__ import annotations

import pytest

from spark_infer.backends.backend import check_precision
from spark_infer.errors import ConfigError


def test_precisions() -> None:
    for precision in ("float32", "bfloat16", "float16"):
        check_precision(precision)
    with pytest.raises(ConfigError, match="precision 'fp16' is unknown; use one of"):
        check_precision("fp16")
