"""A portrait as one SVG file: lengths, arrivals and service times, each drawn over its trace's."""

import textwrap
from html import escape
from importlib.resources import files

from sealegs.portrait.panels import LEFT, all_panels
from sealegs.portrait.sitting import Portrait
from sealegs.portrait.words import alike, how_drawn, origin
from sealegs.report import svg

WIDTH = 1000.0
TOP = 34.0
LINE = 16.0
LETTERS = 150
TITLE = 24.0
GAP = 30.0


def picture(portrait: Portrait) -> str:
    """The whole drawing; the same portrait gives the same bytes."""
    heading = f"{portrait.profile}: what is sent, beside its trace"
    lines = [
        line
        for text in (origin(portrait), how_drawn(portrait), alike(portrait))
        for line in textwrap.wrap(text, LETTERS)
    ]
    parts = [svg.text(LEFT[0], TOP, heading, "heading")]
    parts += [svg.text(LEFT[0], TOP + 6 + LINE * row, line, "origin") for row, line in enumerate(lines, 1)]
    top = TOP + LINE * len(lines) + GAP
    panels = all_panels(portrait)
    for row in panels:
        for panel in row:
            parts.append(svg.text(panel.left, top + 10, panel.title, "title"))
            parts.append(f'<g transform="translate(0 {svg.coordinate(top + TITLE)})">{panel.body}</g>')
        top += TITLE + max(panel.height for panel in row) + GAP
    said = " ".join(f"{panel.title}. {panel.said}" for row in panels for panel in row)
    style = files(__package__).joinpath("picture.css").read_text(encoding="utf-8")
    height = svg.coordinate(top - 10)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height}" width="{WIDTH:g}" '
        f'height="{height}" role="img" aria-labelledby="name said"><title id="name">{heading}</title>'
        f'<desc id="said">{escape(said, quote=False)}</desc><style>\n{style}</style>'
        f'<rect class="paper" width="100%" height="100%"/>{"".join(parts)}</svg>\n'
    )
