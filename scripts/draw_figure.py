"""A picture of a plotly figure, drawn by Chromium.

python scripts/draw_figure.py docs/loop/loop.plotly.json docs/loop/loop.png
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

import plotly.io as pio
from PIL import Image
from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 900, 420


def main(source: Path, target: Path) -> None:
    figure = pio.from_json(source.read_text(encoding="utf-8"))
    figure.update_layout(width=WIDTH, height=HEIGHT, template="plotly_white")
    html = figure.to_html(include_plotlyjs=True, config={"displayModeBar": False})
    chromium = os.environ.get("WINNOW_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH + 16, "height": HEIGHT + 16})
        page.set_content(html)
        page.wait_for_selector(".main-svg")
        page.wait_for_timeout(500)
        drawn = Image.open(io.BytesIO(page.locator(".plotly-graph-div").screenshot()))
        drawn.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(target, optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
