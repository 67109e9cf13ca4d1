"""Boosters of LightGBM."""

from __future__ import annotations
