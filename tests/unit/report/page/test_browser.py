"""The page in a browser. Skipped where Chromium is not installed."""

from __future__ import annotations

import html
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from spark_infer.report.page import page
from tests.unit.report.reports import checked, column, full_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-headless-shell")
LONG = "a_column_whose_name_was_made_by_a_program_" * 5
WIDTHS = (360, 1200)

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)"),
]

FRAMED = """<!DOCTYPE html>
<title></title>
<iframe style="width: {width}px; height: 800px; border: 0" srcdoc="{page}"></iframe>
<script>
addEventListener("load", () => {{
  const root = document.querySelector("iframe").contentDocument.documentElement;
  document.title = `${{root.scrollWidth}} of ${{root.clientWidth}}`;
}});
</script>
"""
"""A page as it is, in a frame as wide as a window: the script is not the page's."""


def browse(tmp_path: Path, address: Path, *options: str) -> str:
    """Open a file in the browser and return its document."""
    assert CHROMIUM is not None
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *(f"--user-data-dir={tmp_path / 'profile'}", *options, address.as_uri()),
    ]
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=120).stdout


def widths(tmp_path: Path, made: str, width: int) -> tuple[int, int]:
    """Return how wide a page is, and how wide its window is."""
    file = tmp_path / "framed.html"
    file.write_text(FRAMED.format(width=width, page=html.escape(made)))
    found = re.search("<title>([0-9]+) of ([0-9]+)</title>", browse(tmp_path, file, "--dump-dom"))
    assert found
    return int(found[1]), int(found[2])


def pixels(picture: Path) -> tuple[int, bytes]:
    """Return the width of a PNG, and what its lines hold."""
    content = picture.read_bytes()
    at, data = 8, b""
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        data += content[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    return struct.unpack(">I", content[16:20])[0], zlib.decompress(data)


REPORTS: dict[str, dict[str, Any]] = {
    "done": {},
    "failed": {"status": "failed", "step": "write", "reason": f"no {LONG}", "rows_out": None},
    "long names": {
        "job": LONG,
        "target": LONG,
        "parameters": {LONG: LONG},
        "versions": {LONG: LONG},
        "snapshot": [{"kind": "iceberg", "place": LONG, "snapshot_id": LONG}],
        "rejects": [{"reason": LONG, "count": 10**9, "examples": [{LONG: LONG}, {LONG: LONG}]}],
        "commands": {},
        "seconds": {LONG: 1.0, "score": 2.0},
        "gate": [checked(LONG, column=LONG, limit=LONG, note=LONG, value=-1.234e-300)],
        "drift": [
            column(LONG, [-1e-300, 1e300], [1.0], kind="output"),
            column(LONG, [0, 1], [1], kind="output", labels=[LONG, LONG]),
        ],
    },
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_is_as_wide_as_its_window(tmp_path: Path, name: str) -> None:
    made = page(full_report(**REPORTS[name]))
    for width in WIDTHS:
        assert widths(tmp_path, made, width) == (width, width)


def test_a_page_that_is_wider_would_be_noticed(tmp_path: Path) -> None:
    made = page(full_report()).replace("<main>", '<main><hr style="width: 500px">')
    found, window = widths(tmp_path, made, 360)
    assert window == 360
    assert found > 500


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_can_be_looked_at(tmp_path: Path, width: int) -> None:
    file, picture = tmp_path / "page.html", tmp_path / "page.png"
    file.write_text(page(full_report()))
    browse(tmp_path, file, f"--window-size={width},3000", f"--screenshot={picture}")
    found, drawn = pixels(picture)
    assert found == width
    assert len(set(drawn)) > 50
