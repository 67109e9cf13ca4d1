"""Pictures in SVG, made of numbers only: no text that anybody chose gets into one."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT = 320.0, 96.0


def bar(length: float, start: float = 0.0) -> Markup:
    """Draw a bar on a line from 0 to 1. One that is longer than nothing can be seen."""
    width = max(_within(length), 0.004) if length > 0 else 0.0
    at = min(_within(start), 1 - width)
    return _svg("bar", 100, 10, _rectangle("one", at * 100, 0, width * 100, 10))


def stack(lengths: Sequence[float]) -> Markup:
    """Draw parts of a whole side by side; together they are at most 1."""
    at, parts = 0.0, []
    for number, length in enumerate(lengths):
        parts.append(_rectangle(f"part{number}", at * 100, 0, _within(length) * 100, 10))
        at += length
    return _svg("stack", 100, 10, *parts)


def histogram(now: Sequence[float], before: Sequence[float] | None = None) -> Markup:
    """Draw shares as columns, and those of before as a line of steps over them."""
    top = max([*now, *(before or ())], default=0.0) or 1.0
    width = _WIDTH / max(len(now), 1)
    parts = [
        _rectangle("one", at * width + width * 0.08, _HEIGHT - height, width * 0.84, height)
        for at, height in enumerate(_within(share / top) * (_HEIGHT - 2) for share in now)
    ]
    if before is not None:
        steps = [f"M0 {_HEIGHT:.2f}"]
        for at, share in enumerate(before):
            y = _HEIGHT - _within(share / top) * (_HEIGHT - 2)
            steps.append(f"L{at * width:.2f} {y:.2f}L{(at + 1) * width:.2f} {y:.2f}")
        steps.append(f"L{_WIDTH:.2f} {_HEIGHT:.2f}")
        parts.append(f'<path class="before" d="{"".join(steps)}"/>')
    return _svg("histogram", _WIDTH, _HEIGHT, *parts)


def _svg(kind: str, width: float, height: float, *parts: str) -> Markup:
    inside = "".join(parts)
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" preserveAspectRatio="none" '
        f'aria-hidden="true">{inside}</svg>'
    )


def _rectangle(kind: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{kind}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
    )


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)
