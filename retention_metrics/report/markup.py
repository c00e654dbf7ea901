"""HTML from plain text: every function escapes what it is given, except for parts that are HTML already."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import NewType

Html = NewType("Html", str)


def text(plain: str) -> Html:
    """Plain text, escaped."""
    return Html(html.escape(plain))


def join(parts: Iterable[Html]) -> Html:
    """Parts one after another."""
    return Html("\n".join(parts))


def paragraph(plain: str, *, role: str = "") -> Html:
    """A paragraph of plain text."""
    return Html(f"<p{_class(role)}>{text(plain)}</p>")


def block(*parts: Html, role: str) -> Html:
    """Parts in a block with a role."""
    return Html(f"<div{_class(role)}>\n{join(parts)}\n</div>")


def bullets(lines: Iterable[str], *, role: str = "") -> Html:
    """A list of plain sentences."""
    return Html(f"<ul{_class(role)}>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>")


def section(name: str, title: str, *parts: Html) -> Html:
    """A section that can be linked to."""
    return Html(f'<section id="{name}">\n<h2>{text(title)}</h2>\n{join(parts)}\n</section>')


def picture(svg: str, caption: str, *, role: str = "") -> Html:
    """A drawing, which is SVG already, with a caption of plain text."""
    return Html(f"<figure{_class(role)}>\n{svg}\n<figcaption>{text(caption)}</figcaption>\n</figure>")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, role: str = "") -> Html:
    """A table of plain text; the first column names the rows."""
    names = "".join(f'<th scope="col">{text(name)}</th>' for name in header)
    body = "\n".join(
        f'<tr><th scope="row">{text(first)}</th>{"".join(f"<td>{text(cell)}</td>" for cell in cells)}</tr>'
        for first, *cells in rows
    )
    inner = f"<thead><tr>{names}</tr></thead>\n<tbody>\n{body}\n</tbody>"
    return Html(f'<div class="scroll"><table{_class(role)}>{inner}</table></div>')


def facts(rows: Iterable[tuple[str, str]]) -> Html:
    """Pairs of a name and a value."""
    return Html("<dl>" + "\n".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in rows) + "</dl>")


def folded(title: str, inner: Html) -> Html:
    """Something long, folded away under its title."""
    return Html(f"<details><summary>{text(title)}</summary>\n{inner}\n</details>")


def _class(role: str) -> str:
    return f' class="{role}"' if role else ""
