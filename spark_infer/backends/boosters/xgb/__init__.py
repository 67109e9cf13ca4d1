"""Boosters of XGBoost."""

from __future__ import annotations
