"""The explainer as a widget, in JupyterLab and Chromium: `make jupyter` installs both.

JupyterLab is 200 MB, so it is not in the lock, and CI leaves this out.
"""

import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = [
    name
    for name in ("anywidget", "ipykernel", "jupyterlab")
    if importlib.util.find_spec(name) is None
]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {MISSING}: make jupyter"),
]

CELLS = [
    "import torch\n"
    "from offby.integrations.widget import Explainer\n"
    "logits = torch.tensor([[2.0, 0, 0], [0, 0, 2.0]])\n"
    'shown = Explainer({"ce": logits, "emd2": logits / 2}, [0, 1],\n'
    '                  labels=["low", "middle", "high"], name="two rows", height=700)\n'
    "shown",
    'shown.update({"ce": 2 * logits.flip(1)}, [2, 2])',
]


def notebook(cells: list[str]) -> str:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    about = {"metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps({"cells": made} | about)


@pytest.fixture
def lab(tmp_path):
    """The address of a notebook in a JupyterLab of its own."""
    (tmp_path / "note.ipynb").write_text(notebook(CELLS), encoding="utf-8")
    token, log = secrets.token_hex(16), tmp_path / "log.txt"
    places = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    environment = os.environ | {
        "IPYTHONDIR": str(tmp_path / "ipython"),
        **{f"JUPYTER_{name}": str(tmp_path / name) for name in places},
    }
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--port=0", f"--IdentityProvider.token={token}"),
        *(f"--ServerApp.root_dir={tmp_path}", "--expose-app-in-browser"),
        *("--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with (
        log.open("w") as said,
        subprocess.Popen(
            command, env=environment, stdout=said, stderr=said, cwd=tmp_path
        ) as server,
    ):
        try:
            yield f"{address(log, server)}/lab/tree/note.ipynb?token={token}"
        finally:
            server.terminate()
            server.wait(20)


def address(log: Path, server: subprocess.Popen) -> str:
    """Where the server listens, as soon as it says so; port 0 is any free one."""
    for _ in range(600):
        said = log.read_text()
        if found := re.search(r"http://(?:localhost|127\.0\.0\.1):[1-9]\d*", said):
            return found[0]
        try:
            server.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        break
    raise RuntimeError(f"JupyterLab does not serve:\n{log.read_text()}")


def run_next_cell(page) -> None:
    page.evaluate("jupyterapp.commands.execute('notebook:run-cell-and-select-next')")


def test_the_widget_draws_the_forecasts_and_those_that_follow(lab):
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(lab)
        page.locator(".jp-NotebookPanel-toolbar").wait_for()
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.ready")
        run_next_cell(page)
        frame = page.locator('.jp-OutputArea iframe[title="The explainer of offby"]')
        frame.wait_for()
        assert frame.get_attribute("height") == "700"
        inside = frame.content_frame
        inside.locator("svg.figure").first.wait_for()
        text = inside.locator("body").inner_text()
        assert "two rows" in text
        assert "middle" in text
        bars = inside.locator("svg.figure").first.locator("[data-bar]")
        before = bars.evaluate_all("all => all.map(bar => bar.ariaValueNow)")
        assert len(before) == 3

        drawn = frame.get_attribute("srcdoc")
        run_next_cell(page)
        page.wait_for_function(
            "old => document.querySelector('.jp-OutputArea iframe').srcdoc !== old",
            arg=drawn,
        )
        inside.locator("svg.figure").first.wait_for()
        after = bars.evaluate_all("all => all.map(bar => bar.ariaValueNow)")
        assert after != before
        assert page.locator(".jp-OutputArea iframe").count() == 1
        browser.close()
