"""The explainer in notebooks: docs/integrations.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from offby.bins import Bins
from offby.grounds import Circle, Line
from offby.integrations.explainer import Logits, page

__all__ = ["Explainer"]


class Explainer(anywidget.AnyWidget):
    """The explainer of one's own logits, in JupyterLab and wherever anywidget runs.

    Args:
        logits: As for `offby.integrations.explainer.page`, like all others.
        target: The class or the number of each row.
        ground: Where the classes lie; by default on a line, one apart.
        labels: Names of the classes.
        name: Of the data, for the page.
        height: Of the frame, in pixels.
    """

    _esm: ClassVar[Path] = Path(__file__).with_suffix(".js")
    page = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(900).tag(sync=True)

    def __init__(
        self,
        logits: Logits | Mapping[str, Logits],
        target: Logits,
        ground: Line | Circle | Bins | None = None,
        *,
        labels: Sequence[str] | None = None,
        name: str = "your rows",
        height: int = 900,
    ) -> None:
        self._settings: dict[str, Any] = {"labels": labels, "name": name}
        self._ground = ground
        super().__init__(page=self._page(logits, target), height=height)

    def update(self, logits: Logits | Mapping[str, Logits], target: Logits) -> None:
        """Show other rows, as those of the next epoch; the frame is drawn anew."""
        self.page = self._page(logits, target)

    def _page(self, logits: Logits | Mapping[str, Logits], target: Logits) -> str:
        found = page(logits, target, self._ground, **self._settings)
        # Without it an address within the page would lead to the notebook around it.
        return found.replace("<head>", '<head><base href="about:srcdoc">', 1)
