"""Boosted trees by their own libraries. This folder is the only home of xgboost and lightgbm."""

from __future__ import annotations
