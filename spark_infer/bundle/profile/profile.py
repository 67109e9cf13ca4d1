"""The profile of a model's columns: what goes in and comes out, as it was when all was well."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spark_infer.bundle.documents import cut, parse, shown
from spark_infer.bundle.files.folder import read_file
from spark_infer.bundle.profile.distribution import Distribution
from spark_infer.errors import BundleError, SignatureError, nearest

PROFILE_FILE = "profile.json"
MAX_PROFILE_BYTES = 2**24


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Distributions by name.

    Attributes:
        inputs: Of columns of numbers that the model reads, features among them.
        outputs: Of outputs that are one number, truth value or label.
    """

    inputs: Mapping[str, Distribution] = field(default_factory=dict)
    outputs: Mapping[str, Distribution] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the profile as JSON data."""
        return {
            "inputs": {name: found.to_json() for name, found in self.inputs.items()},
            "outputs": {name: found.to_json() for name, found in self.outputs.items()},
        }

    @classmethod
    def from_json(cls, data: object) -> Profile:
        """Read what ``to_json`` gave.

        Raises:
            SignatureError: It is something else.
        """
        if not isinstance(data, dict) or data.keys() != {"inputs", "outputs"}:
            raise SignatureError(f"a profile must have inputs and outputs, got {shown(data)}")
        sides = {}
        for side, columns in data.items():
            if not isinstance(columns, dict):
                raise SignatureError(f"{side} must be an object, got {shown(columns)}")
            sides[side] = {
                name: Distribution.from_json(found, where=f"{side}[{shown(name)}]")
                for name, found in columns.items()
            }
        return cls(**sides)

    def write(self, root: Path) -> None:
        """Write the profile into a bundle's directory."""
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False)
        content = text.encode()
        if len(content) > MAX_PROFILE_BYTES:
            raise BundleError(
                f"{PROFILE_FILE} would have {len(content):,} bytes, and at most "
                f"{MAX_PROFILE_BYTES:,} are read again; leave profile out"
            )
        (root / PROFILE_FILE).write_bytes(content)

    @classmethod
    def read(cls, root: Path, inputs: Collection[str], outputs: Collection[str]) -> Profile | None:
        """Return the profile of a bundle; None where it has none.

        Args:
            root: The bundle's directory.
            inputs: Columns of the signature.
            outputs: Its outputs.

        Raises:
            BundleError: It is damaged, or that of another signature.
        """
        if not (root / PROFILE_FILE).exists():
            return None
        content = read_file(root, PROFILE_FILE, MAX_PROFILE_BYTES)
        try:
            profile = cls.from_json(parse(content))
            for what, found, known in (
                ("input column", profile.inputs, inputs),
                ("output", profile.outputs, outputs),
            ):
                here = set(known)
                for name in found:
                    if name not in here:
                        raise SignatureError(
                            f"{shown(name)} is no {what} of the signature"
                            f"{nearest(name[:100], known)}"
                        )
        except (ValueError, SignatureError) as error:
            raise BundleError(
                f"bundle {root}: {PROFILE_FILE} is damaged ({cut(error)}); save the bundle again"
            ) from None
        return profile
