"""What values looked like: the distribution of columns, kept to be compared with later ones."""

from __future__ import annotations

from spark_infer.bundle.profile.distribution import Distribution, cut_points
from spark_infer.bundle.profile.drift import ks, psi
from spark_infer.bundle.profile.profile import MAX_PROFILE_BYTES, PROFILE_FILE, Profile

__all__ = [
    "MAX_PROFILE_BYTES",
    "PROFILE_FILE",
    "Distribution",
    "Profile",
    "cut_points",
    "ks",
    "psi",
]
