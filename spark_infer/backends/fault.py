"""Errors after which a device does no more work for this process."""

from __future__ import annotations

_FAULTS = (
    "device-side assert triggered",
    "an illegal memory access was encountered",
    "unspecified launch failure",
    "misaligned address",
)


def is_device_fault(error: BaseException) -> bool:
    """Return whether an error says that the device refuses all further work.

    CUDA reports an index out of range so: whatever runs next fails as well, so the row at fault
    cannot be told.
    """
    return any(words in str(error) for words in _FAULTS)
