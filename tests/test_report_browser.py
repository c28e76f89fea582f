"""The page of `bbnn report` in a browser that reaches no network: what a person sees of it."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread

from bbnn import tools
from bbnn.cli import group
from pages import documents, small_model

pytestmark = pytest.mark.chromium

SECTIONS = [
    "network",
    "headline",
    "uncertainty",
    "reliability",
    "entropy",
    "members",
    "quality",
    "cycles",
    "resources",
    "projection",
    "reproduce",
]
Browse = Callable[..., str]
WIDTHS = {"telephone": 390, "desk": 1280}
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=127.0.0.1:9",
]
PROBE = """<script>addEventListener("load", () => {
  const box = each => {
    const found = each.getBoundingClientRect();
    return [found.left, found.top, found.right, found.bottom];
  };
  const root = document.documentElement;
  parent.postMessage({
    width: innerWidth, scrolls: root.scrollWidth, height: root.scrollHeight,
    paper: getComputedStyle(document.body).backgroundColor,
    sections: Object.fromEntries([...document.querySelectorAll("[id]")].map(e => [e.id, box(e)])),
    images: [...document.images].map(e => [e.naturalWidth, ...box(e)]),
    loaded: performance.getEntriesByType("resource").map(e => e.name)
      .filter(name => !name.startsWith("data:")),
    outside: [...document.querySelectorAll("main *")].filter(e => !e.closest(".hidden"))
      .filter(e => box(e)[2] > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80)),
  }, "*");
});</script></body>"""
"""Tells what the browser made of a page."""
FRAME = """<!doctype html><html style="color-scheme: light dark"><body style="margin: 0">
<iframe src="{page}" style="border: 0; width: {width}px; height: {height}px"></iframe>
<script>addEventListener("message", event =>
  document.documentElement.setAttribute("data-told", JSON.stringify(event.data)));
</script></body></html>"""
"""A page in as narrow a frame as one likes: windows have a least width."""
WINDOW = 500
ALLOWED = "default-src 'none'; script-src 'unsafe-inline'"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the page itself, and a copy that may run `PROBE` alone."""
    folder = tmp_path_factory.mktemp("browser")
    model = small_model(folder / "model.safetensors")
    documents(model, folder / "json")
    page, probed = folder / "page.html", folder / "probed.html"
    arguments = ["report", str(model), "--run", "none", "--from", str(folder / "json")]
    CliRunner().invoke(group, [*arguments, "-o", str(page)], catch_exceptions=False)
    text = page.read_text().replace(
        "default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'"
    )
    probed.write_text(text.replace("</body>", PROBE))
    return {"page": page, "probed": probed}


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Return a function that shows a page to Chromium in a frame: its standard output."""

    def browse(page: Path, width: int, height: int, *flags: str) -> str:
        frame = tmp_path / "frame.html"
        frame.write_text(FRAME.format(page=page.as_uri(), width=width, height=height))
        size = f"--window-size={max(width, WINDOW)},{height}"
        command = [tools.find("chromium"), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", size]
        arguments = [*command, *flags, frame.as_uri()]
        run = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=True)
        return run.stdout

    return browse


def told(dom: str) -> dict[str, Any]:
    """Return what `PROBE` told, from a dump of the frame."""
    found = re.search(r'data-told="([^"]*)"', dom)
    assert found
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", WIDTHS.values(), ids=list(WIDTHS))
def test_all_of_it_is_seen(
    width: int, pages: dict[str, Path], browse: Browse, tmp_path: Path
) -> None:
    found = told(browse(pages["probed"], width, 900, "--dump-dom"))
    assert found["width"] == width
    assert found["scrolls"] == width
    assert found["outside"] == []
    assert found["loaded"] == []
    assert list(found["sections"]) == SECTIONS
    assert len(found["images"]) > 18
    for natural, left, top, right, bottom in found["images"]:
        assert natural > 0
        assert right - left > 2
        assert bottom - top > 2

    shot = tmp_path / "page.png"
    browse(pages["page"], width, found["height"], f"--screenshot={shot}")
    picture = imread(shot)[..., :3]
    assert picture.shape[:2] == (found["height"], max(width, WINDOW))
    paper = picture[2, 2]
    for name, (left, top, right, bottom) in found["sections"].items():
        assert right - left > 0.35 * width, name
        piece = picture[int(top) : int(bottom), int(left) : int(right)]
        assert (np.abs(piece - paper).max(axis=2) > 0.3).mean() > 0.005, name


def test_a_page_that_is_too_wide_is_seen(
    pages: dict[str, Path], browse: Browse, tmp_path: Path
) -> None:
    """The measure of the test above can fail."""
    wide = tmp_path / "wide.html"
    text = pages["probed"].read_text()
    wide.write_text(text.replace("<main>", '<main><div style="width: 500px">wide</div>', 1))
    found = told(browse(wide, 390, 900, "--dump-dom"))
    assert found["scrolls"] > 390
    assert len(found["outside"]) == 1


def test_colours_follow_the_reader(pages: dict[str, Path], browse: Browse) -> None:
    papers = [
        told(browse(pages["probed"], 390, 900, "--dump-dom", *flags))["paper"]
        for flags in ((), ("--blink-settings=preferredColorScheme=0",))
    ]
    assert papers == ["rgb(251, 250, 246)", "rgb(20, 22, 26)"]
