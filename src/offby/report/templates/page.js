"use strict";
// Sorting on click; without it the page loses nothing else.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(table, heads, column));
  });
}

// A chart wider than the window scrolls by keyboard too.
function reachable() {
  for (const card of document.querySelectorAll(".card")) {
    if (card.scrollWidth > card.clientWidth) card.tabIndex = 0;
    else card.removeAttribute("tabindex");
  }
}
addEventListener("resize", reachable);
reachable();

function sort(table, heads, column) {
  const up = heads[column].ariaSort !== "ascending";
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].ariaSort = up ? "ascending" : "descending";
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => row.cells.length > column);
    const keys = new Map(rows.map((row) => [row, key(row.cells[column])]));
    rows.sort((a, b) => compared(keys.get(a), keys.get(b), up));
    body.append(...rows);
  }
}

/** The number that a cell starts with, or its words. */
function key(cell) {
  const text = cell.textContent.replace(/^\s*[\u203a=] /, "").replaceAll("\u2212", "-").trim();
  if (text.startsWith("\u221e")) return Infinity;
  const number = Number.parseFloat(text);
  return text === "\u2013" ? null : Number.isNaN(number) ? text : number;
}

/** What is missing comes last, both ways. */
function compared(a, b, up) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  return (up ? 1 : -1) * (Number.isNaN(order) ? 0 : order);
}
