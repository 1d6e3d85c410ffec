"""Hooks of mkdocs: pages that lie outside of docs/, and links where a page names another."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""Files beside docs/ that are pages of the site, by the name of the page."""

CODE = re.compile(r"^ {4}[^\n]*$|^```.*?^```$|`[^`\n]*`|\[[^\]\n]*\]\([^)\n]*\)", re.M | re.S)
NAMED = re.compile(r"(?<![\w/.])(?:docs/)?((?:[a-z-]+/)?[\w-]+\.md)\b")


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Add the pages that lie outside of docs/."""
    for name, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Make a link of each page that the text names as docs/NAME.md, and find its pictures."""
    here = posixpath.dirname(page.file.src_uri) or "."
    markdown = markdown.replace("](docs/images/", f"]({posixpath.relpath('images', here)}/")

    def linked(match: re.Match[str]) -> str:
        name = match.group(1)
        whole = match.group(0)
        target = OUTSIDE.get(whole, name if whole.startswith("docs/") else None)
        if target is None:
            return whole
        return f"[{whole}]({posixpath.relpath(target, here)})"

    done, at = [], 0
    for code in CODE.finditer(markdown):
        done += [NAMED.sub(linked, markdown[at : code.start()]), code.group(0)]
        at = code.end()
    return "".join([*done, NAMED.sub(linked, markdown[at:])])
