"""What the table of casts must give, value by value in plain Python, and values at the edges."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa

from spark_infer.bundle.columns import DTYPES, FLOAT_DTYPES, INTEGER_DTYPES

_FLOATS = {"float64": (53, -1074), "float32": (24, -149), "float16": (11, -24)}
"""Bits of the significand, and the exponent of the smallest number."""
_MICROS = (
    *(0, 1, -1, 999_999, -999_999, 1_500_000, -1_500_000, 2_500_001, 1_533_099_600_123_457),
    *(16_777_217 * 10**6 + 1, 2**53 - 1, 2**53, 2**53 + 1, 2**53 + 3, 512 * 20_000_000 * 10**6 + 1),
    *(-62_135_596_800 * 10**6, 253_402_300_799_999_999, -(2**53) - 1, -11_676_096_000 * 10**6 - 7),
)


def _integers(bits: int) -> list[int]:
    high = 2 ** (bits - 1)
    near = [
        2**24 + 1,
        2**24 + 3,
        2**25 + 2,
        2049,
        2051,
        65519,
        65520,
        255,
        2**53 + 1,
        2**60 + 2**36,
    ]
    near += [2**54 + 2**30 + 1, 2**62 + 2**38 + 1]
    values = [0, 1, -1, 127, high - 1, -high, *near, *(-value for value in near)]
    return [value for value in values if -high <= value < high]


def _decimals(precision: int, scale: int) -> list[Decimal]:
    top = 10**precision - 1
    units = [0, 1, -1, top, -top, top // 3, top // 7, 10 ** (precision - 1) + 1]
    units += [(2**24 + 1) * 10**scale, (2**24 + 1) * 10**scale + 1, (2**24 + 1) * 10**scale - 1]
    units += [(2**25 + 6) * 10**scale - 1, 2**53 + 1, 2**53 + 2, -(2**63) - 1, 2**63, 2**64 + 1]
    units += [12_345_678_901 * k for k in range(1, 40)]
    exact = (Decimal(unit) for unit in units if abs(unit) <= top)
    return [Decimal(f"{value}E{-scale}") for value in exact]


def _float32s() -> list[float]:
    return [
        0.0,
        -0.0,
        0.10000000149011612,
        math.inf,
        -math.inf,
        math.nan,
        2.0**-149,
        -(2.0**-126),
        65520.0,
        65519.0,
    ]


_DAYS = (0, 1, -1, -719_162, 2_932_896, 17_751)

VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "boolean": (pa.bool_(), [True, False]),
    "tinyint": (pa.int8(), _integers(8)),
    "smallint": (pa.int16(), _integers(16)),
    "int": (pa.int32(), _integers(32)),
    "bigint": (pa.int64(), _integers(64)),
    "float": (pa.float32(), _float32s()),
    "double": (
        pa.float64(),
        [
            *(*_float32s(), 5e-324, 1e300, -1e39, 2.0**24 + 1, 2.0**24 + 1 + 2.0**-20, 2049.0),
            *(
                2049.0000000001,
                3.4028235677973366e38,
                3.402823567797e38,
                2.0**-150,
                1.5 * 2.0**-149,
            ),
        ],
    ),
    **{
        f"decimal({p},{s})": (pa.decimal128(p, s), _decimals(p, s))
        for p, s in ((1, 1), (10, 0), (18, 6), (30, 9), (38, 0), (38, 38))
    },
    "date": (pa.date32(), [dt.date(1970, 1, 1) + dt.timedelta(days=day) for day in _DAYS]),
    "timestamp": (pa.timestamp("us", "UTC"), list(_MICROS)),
    "timestamp_ntz": (pa.timestamp("us"), list(_MICROS)),
}
"""Values of each of Spark's types that fit a tensor; timestamps are counts of microseconds."""

_WIDTHS = {"tinyint": 7, "smallint": 15, "int": 31, "bigint": 63}
_HOLDS = {"int8": 7, "int16": 15, "int32": 31, "int64": 63}
_LIMITS = {dtype: (-(2**bits), 2**bits - 1) for dtype, bits in _HOLDS.items()} | {"uint8": (0, 255)}
ANSWERED = ("void", *VALUES)
REFUSED = {
    "string": "'x'",
    "binary": "X'00'",
    "interval day to second": "INTERVAL '1 02:03:04' DAY TO SECOND",
    "interval year": "INTERVAL '1' YEAR",
    "array<double>": "array(1D)",
    "map<int,int>": "map(1, 2)",
    "struct<a:int>": "named_struct('a', 1)",
}
"""SQL of a value of each type that no tensor is made of."""


def tensors_of(kind: str) -> list[str]:
    """Return the tensor types that columns of a kind become."""
    if kind in ("void", "boolean"):
        return list(DTYPES)
    if kind in _WIDTHS:
        return [*INTEGER_DTYPES, *FLOAT_DTYPES]
    whole = {"date": ["int32", "int64"]}.get(kind, ["int64"] if kind.startswith("time") else [])
    return [*whole, *FLOAT_DTYPES]


def expected(kind: str, dtype: str, value: Any) -> Any:
    """Return the element that a value becomes: a bool, an int or a float; None if out of range."""
    if isinstance(value, float) and not math.isfinite(value):
        return value
    exact = _exact(kind, value)
    if dtype == "bool":
        return bool(exact)
    if dtype in INTEGER_DTYPES:
        whole = math.floor(exact)
        least, most = _LIMITS[dtype]
        return whole if least <= whole <= most else None
    if isinstance(value, float) and value == 0:
        return value
    if dtype == "float16":
        # Defined as the nearest to the nearest double.
        exact = Fraction(nearest(exact, "float64"))
    return nearest(exact, dtype)


def _exact(kind: str, value: Any) -> Fraction:
    if kind == "date":
        return Fraction((value - dt.date(1970, 1, 1)).days)
    return Fraction(value) / 10**6 if kind.startswith("timestamp") else Fraction(value)


def nearest(exact: Fraction, dtype: str) -> float:
    """Return the float of a type that lies nearest to an exact number, of two the even one."""
    digits, least = _FLOATS[dtype]
    if not exact:
        return 0.0
    exponent = math.floor(math.log2(abs(exact)))
    exponent += (abs(exact) >= Fraction(2) ** (exponent + 1)) - (
        abs(exact) < Fraction(2) ** exponent
    )
    step = Fraction(2) ** max(exponent - digits + 1, least)
    rounded = round(exact / step) * step
    largest = 2.0 ** {"float64": 1023, "float32": 127, "float16": 15}[dtype]
    if abs(rounded) >= 2 * Fraction(largest):
        return math.copysign(math.inf, exact)
    return math.copysign(float(rounded), exact)


def same(found: Any, wanted: Any) -> bool:
    """Tell whether two elements are one: NaN is NaN, and zeros differ by their sign."""
    if isinstance(found, float) and isinstance(wanted, float):
        if math.isnan(found) or math.isnan(wanted):
            return math.isnan(found) and math.isnan(wanted)
        return found == wanted and math.copysign(1, found) == math.copysign(1, wanted)
    return type(found) is type(wanted) and bool(found == wanted)
