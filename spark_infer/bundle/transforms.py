"""Column steps that SQL cannot do, as a bundle describes them. They are run by ``transforms``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from spark_infer.bundle.columns import INTEGER_DTYPES, MAX_SIZE, check_number
from spark_infer.bundle.documents import check_fields, parse, shown, to_json, values_of
from spark_infer.errors import SignatureError

MAX_SEED = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class Transform:
    """What every transform has. Use HashBuckets or RawBytes.

    Attributes:
        kind: Its name in a manifest.
        takes: Spark's type of the values that it takes.
        makes_ids: Whether what it makes are ids, so that a tensor of them holds integers.
        makes_arrays: Whether it makes an array of each value, so that a column of values feeds an
            input of arrays; otherwise it makes one value of each.
        is_large: Whether what it makes is so large that it is made batch by batch, and not for all
            rows of a window, where their lengths need not be known before.
    """

    kind: ClassVar[str] = ""
    takes: ClassVar[str]
    makes_ids: ClassVar[bool] = False
    makes_arrays: ClassVar[bool] = False
    is_large: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self, where=f"transform {self.kind!r}")

    def check_dtype(self, dtype: str) -> None:
        """Raise SignatureError unless what it makes fits a tensor of this type."""
        raise TypeError("use HashBuckets or RawBytes")

    def to_json(self) -> dict[str, Any]:
        """Return the transform as JSON data."""
        return {"kind": self.kind, **to_json(self)}


@dataclass(frozen=True, kw_only=True)
class HashBuckets(Transform):
    """Strings as the number of a bucket, from 0 to ``num_buckets - 1``.

    The bucket is MurmurHash3 (Austin Appleby, 2011; the 32 bits of ``x86_32``, unsigned) of the
    UTF-8 bytes, modulo the number of buckets. scikit-learn's ``murmurhash3_32(word, seed,
    positive=True)`` is the same hash; Spark's ``hash`` is another. Null stays null.

    Attributes:
        num_buckets: How many buckets there are, so an embedding needs as many rows.
        seed: Seed of the hash.
    """

    kind: ClassVar[str] = "hash_buckets"
    takes: ClassVar[str] = "string"
    makes_ids: ClassVar[bool] = True

    num_buckets: int
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least, most in (("num_buckets", 1, 2**31 - 1), ("seed", 0, MAX_SEED)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise SignatureError(
                    f"transform {self.kind!r}: {name} must be from {least} to {most}, "
                    f"got {shown(value)}"
                )

    def check_dtype(self, dtype: str) -> None:
        """Raise SignatureError unless a tensor of this type holds the numbers of all buckets."""
        if dtype not in INTEGER_DTYPES:
            raise SignatureError(
                f"transform {self.kind!r} gives numbers of buckets, so dtype must be an integer "
                f"type such as int64, not {dtype}"
            )
        check_number(self.num_buckets - 1, where=f"transform {self.kind!r}: bucket", dtype=dtype)


@dataclass(frozen=True, kw_only=True)
class RawBytes(Transform):
    """Binary values as arrays of the tensor's type: its numbers end to end, little-endian.

    For embeddings, images and signals that a table keeps as bytes. The input says the shape; a
    row of another number of bytes is rejected.
    """

    kind: ClassVar[str] = "raw_bytes"
    takes: ClassVar[str] = "binary"
    makes_arrays: ClassVar[bool] = True
    is_large: ClassVar[bool] = True

    def check_dtype(self, dtype: str) -> None:
        """Raise SignatureError for bool, of which not every byte is one."""
        if dtype == "bool":
            raise SignatureError(
                f"transform {self.kind!r}: a byte may be neither 0 nor 1, so dtype cannot be "
                "bool; use uint8"
            )


@dataclass(frozen=True, kw_only=True)
class Tokenize(Transform):
    """Text as ids of tokens, by a tokenizer of Hugging Face.

    Attributes:
        document: The text of its ``tokenizer.json``, which lies beside the manifest.
        max_length: The most tokens of a text; the tokenizer cuts longer ones on the side that its
            document says, and keeps its marks at both ends. Default: none are cut.
    """

    kind: ClassVar[str] = "tokenize"
    takes: ClassVar[str] = "string"
    makes_ids: ClassVar[bool] = True
    makes_arrays: ClassVar[bool] = True

    document: str = field(repr=False)
    max_length: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            data = parse(self.document.encode())
        except ValueError as error:
            raise SignatureError(f"transform {self.kind!r}: its document: {error}") from None
        if not isinstance(data, dict):
            raise SignatureError(f"transform {self.kind!r}: its document must be a JSON object")
        model = data.get("model")
        if isinstance(model, dict) and model.get("dropout"):
            raise SignatureError(
                f"transform {self.kind!r}: the tokenizer drops words at random (dropout "
                f"{shown(model['dropout'])}), as it was trained; set dropout to null in "
                "tokenizer.json"
            )
        # As it is read again.
        object.__setattr__(self, "document", json.dumps(data, ensure_ascii=False))
        if self.max_length is not None and not 1 <= self.max_length <= MAX_SIZE:
            raise SignatureError(
                f"transform {self.kind!r}: max_length must be at least 1 and at most {MAX_SIZE}, "
                f"got {shown(self.max_length)}"
            )

    def check_dtype(self, dtype: str) -> None:
        """Raise SignatureError unless a tensor of this type holds any id."""
        if dtype not in ("int32", "int64"):
            raise SignatureError(
                f"transform {self.kind!r} gives ids of tokens, so dtype must be int64 or int32, "
                f"not {dtype}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the transform as JSON data, without its document."""
        return {"kind": self.kind, "max_length": self.max_length}


KINDS: Mapping[str, type[Transform]] = {
    kind.kind: kind for kind in (HashBuckets, RawBytes, Tokenize)
}
"""Each transform by its name in a manifest; ``transforms`` has what runs it."""


def transform_from_json(data: object, where: str, read_document: Callable[[], object]) -> Transform:
    """Rebuild a transform from ``to_json`` data.

    Args:
        data: What ``to_json`` returned.
        where: Its place in the manifest, for messages.
        read_document: Returns the document of a tokenizer.

    Raises:
        SignatureError: It is not what ``to_json`` returns of any transform.
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise SignatureError(f"{where}: transform {shown(kind)} is unknown; known: {list(KINDS)}")
    if kind == Tokenize.kind and isinstance(data, dict):
        if "document" in data:
            raise SignatureError(f"{where}: key 'document' is unknown")
        data = {**data, "document": json.dumps(read_document(), ensure_ascii=False)}
    return KINDS[kind](**values_of(KINDS[kind], data, where=where, besides="kind"))
