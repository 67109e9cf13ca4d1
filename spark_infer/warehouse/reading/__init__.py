"""What is looked at before a source is read: what Spark would read otherwise than it is there."""

from __future__ import annotations
