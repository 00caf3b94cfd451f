"""Draws docs/house.svg: the folders of the package and the imports between them.

python benchmarks/house.py            # writes docs/house.svg
python benchmarks/house.py --check    # ends with 1 if the picture is out of date
"""

import argparse
import ast
import sys
from collections import defaultdict
from html import escape
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "offby"
PICTURE = ROOT / "docs" / "house.svg"
# Everything may import these two, so their arrows would hide the others.
LEFT_OUT = {"__init__", "__main__", "_checks", "datasets"}
WIDTH, HEIGHT, ACROSS, DOWN = 148, 46, 20, 46


def folder_of(file: Path) -> str:
    """The folder, or the module at the top, that a file belongs to."""
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports() -> nx.DiGraph:
    """Folders with their lines of code; arrows from importer to imported."""
    graph = nx.DiGraph()
    lines: dict[str, int] = defaultdict(int)
    for file in sorted(SOURCE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        lines[folder_of(file)] += text.count("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module == "offby":
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = node.module.removeprefix("offby.").split(".")[:1]
                names = names if node.module.startswith("offby.") else []
            else:
                continue
            graph.add_edges_from((folder_of(file), name) for name in names)
    rooms = set(lines) - LEFT_OUT
    graph = nx.DiGraph(graph.subgraph(rooms))
    graph.add_nodes_from(rooms)
    graph.remove_edges_from([(room, room) for room in rooms])
    nx.set_node_attributes(graph, lines, "lines")
    return graph


def floors_of(graph: nx.DiGraph) -> list[list[str]]:
    """Rooms by floor, from the top: each as low as what it imports lets it stand.

    Rooms that do not rest on the grounds stand right below those that import them: so
    few arrows run behind other rooms.
    """
    below = list(nx.topological_generations(graph.reverse()))
    above = list(nx.topological_generations(graph))
    height = {room: level for level, floor in enumerate(below) for room in floor}
    depth = {room: level for level, floor in enumerate(above) for room in floor}
    floors: list[list[str]] = [[] for _ in below]
    for room in sorted(graph):
        lowest = len(below) - 1 - height[room]
        rests = room == "grounds" or "grounds" in nx.descendants(graph, room)
        floors[lowest if rests else depth[room]].append(room)
    return floors


def picture(graph: nx.DiGraph) -> str:
    """The graph as SVG: each folder stands above all that it imports."""
    floors = floors_of(graph)
    # An arrow to a room that is reached through another one adds no information.
    arrows = nx.transitive_reduction(graph).edges
    widest = max(map(len, floors))
    full = widest * (WIDTH + ACROSS) + ACROSS
    place = {}
    for level, floor in enumerate(floors):
        start = (full - len(floor) * (WIDTH + ACROSS) + ACROSS) / 2
        for number, room in enumerate(floor):
            place[room] = (
                start + number * (WIDTH + ACROSS),
                12 + level * (HEIGHT + DOWN),
            )
    tall = 24 + len(floors) * (HEIGHT + DOWN) - DOWN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full} {tall}" '
        'font-family="system-ui, sans-serif" font-size="14" role="img">',
        "<title>The folders of offby; an arrow points to what a folder imports</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#8a8f98"/>'
        "</marker></defs>",
        f'<rect width="{full}" height="{tall}" fill="#fff"/>',
    ]
    for above, below in sorted(arrows):
        (x, y), (to_x, to_y) = place[above], place[below]
        x, y, to_x = x + WIDTH / 2, y + HEIGHT, to_x + WIDTH / 2
        bend = (to_y - y) / 2
        parts.append(
            f'<path d="M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {to_x:.0f} '
            f'{to_y - bend:.0f} {to_x:.0f} {to_y - 3:.0f}" fill="none" '
            'stroke="#8a8f98" marker-end="url(#head)"/>'
        )
    for room, (x, y) in sorted(place.items()):
        lines = graph.nodes[room]["lines"]
        parts.append(
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6" '
            'fill="#eef3fb" stroke="#4a6fa5"/>'
            f'<text x="{x + WIDTH / 2:.0f}" y="{y + 20:.0f}" text-anchor="middle" '
            f'font-weight="600">{escape(room)}</text>'
            f'<text x="{x + WIDTH / 2:.0f}" y="{y + 37:.0f}" text-anchor="middle" '
            f'font-size="12" fill="#555">{lines:,} lines</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def structure(svg: str) -> list[str]:
    """The picture without its numbers of lines, which change with every commit."""
    return [part.rpartition("<text")[0] or part for part in svg.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    svg = picture(imports())
    if not check:
        PICTURE.write_text(svg, encoding="utf-8")
    elif structure(svg) != structure(PICTURE.read_text(encoding="utf-8")):
        sys.exit("docs/house.svg is out of date; run python benchmarks/house.py")


if __name__ == "__main__":
    main()
