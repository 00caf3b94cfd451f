"""Copies the pages of the repository to where MkDocs reads them, with links that hold.

A page of the repository links to files beside docs/, such as a module or a test. The
site holds those files too, each on a page of its own under code/, so that every link
leads somewhere without a host that might not be there.
"""

import re
import shutil
import subprocess
from pathlib import Path

import scripts

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
AT_THE_TOP = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
}
EXAMPLES = {scripts.LIST: "examples/README.md"} | {
    path: scripts.page_of(path) for path in scripts.listed()
}
_LINK = re.compile(r"(?P<open>\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
_LANGUAGES = {".py": "python", ".cpp": "cpp", ".hpp": "cpp", ".md": "markdown"}
HIDDEN = "---\nsearch:\n  exclude: true\n---\n\n"


def copy(pages: Path) -> None:
    """Copy docs/ and the pages at the top, and write the code pages they link to."""
    shutil.copytree(DOCS, pages, dirs_exist_ok=True)
    for name in ("extra.css", "iframe-worker.js", "scrolling.js"):
        shutil.copy(Path(__file__).with_name(name), pages)
    linked: set[Path] = set()
    sources = {
        page: pages / page.relative_to(DOCS) for page in sorted(DOCS.rglob("*.md"))
    }
    sources |= {ROOT / name: pages / to for name, to in AT_THE_TOP.items()}
    sources[scripts.LIST] = pages / EXAMPLES[scripts.LIST]
    for page, to in sources.items():
        if page.exists():
            text = page.read_text(encoding="utf-8")
            to.write_text(_relinked(text, page, to, pages, linked), encoding="utf-8")
    for path in sorted(linked):
        _write_code(path, pages)


def place(path: Path, pages: Path) -> Path:
    """Where the site has a file or folder of the repository."""
    if path.parent == ROOT and path.name in AT_THE_TOP:
        return pages / AT_THE_TOP[path.name]
    if path in EXAMPLES:
        return pages / EXAMPLES[path]
    if path.is_relative_to(DOCS):
        inside = pages / path.relative_to(DOCS)
        return inside / "README.md" if path.is_dir() else inside
    inside = pages / "code" / path.relative_to(ROOT)
    return inside / "index.md" if path.is_dir() else inside.with_name(path.name + ".md")


def link(path: Path, page: Path, pages: Path) -> str:
    """The link from a page of the site to what the repository has at a path."""
    depth = len(page.parent.relative_to(pages).parts)
    return "../" * depth + place(path, pages).relative_to(pages).as_posix()


def _relinked(text: str, page: Path, to: Path, pages: Path, linked: set[Path]) -> str:
    def changed(found: re.Match[str]) -> str:
        target = found["target"]
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        path = (page.parent / target).resolve()
        if not path.exists():
            raise SystemExit(f"{page} links to {target}, which is not there")
        if place(path, pages).is_relative_to(pages / "code"):
            linked.add(path)
        return f"{found['open']}{link(path, to, pages)}{found['anchor'] or ''})"

    return _LINK.sub(changed, text)


def _write_code(path: Path, pages: Path) -> None:
    """A page with the text of a file, or with the files of a folder."""
    page = place(path, pages)
    page.parent.mkdir(parents=True, exist_ok=True)
    name = path.relative_to(ROOT).as_posix()
    if path.is_file():
        language = _LANGUAGES.get(path.suffix, "text")
        text = path.read_text(encoding="utf-8")
        ticks = "`" * 5
        page.write_text(f"{HIDDEN}# {name}\n\n{ticks}{language}\n{text}\n{ticks}\n")
        return
    lines = []
    for file in _tracked(path):
        _write_code(file, pages)
        lines.append(f"- [{file.relative_to(path)}]({link(file, page, pages)})")
    page.write_text(f"{HIDDEN}# {name}/\n\n" + "\n".join(lines) + "\n")


def _tracked(folder: Path) -> list[Path]:
    """The texts directly in a folder; without git, as in an archive, all of them."""
    found = subprocess.run(
        ["git", "ls-files", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    names = found.stdout.splitlines() or [file.name for file in folder.iterdir()]
    files = [folder / name for name in names if "/" not in name]
    return [f for f in sorted(files) if f.suffix in (*_LANGUAGES, ".json", ".toml")]
