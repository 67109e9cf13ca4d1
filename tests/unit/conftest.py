from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

for name, max_examples in {"unit": 60, "thorough": 3000}.items():
    settings.register_profile(
        name,
        max_examples=max_examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
