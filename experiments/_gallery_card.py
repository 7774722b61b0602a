"""One row of the slides as HTML: what it states, what was measured, and its figures."""

import html
import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from experiments._slides import Place, Result, Row
from jaxdl.run.report import Claim

TEXTS = Path(__file__).parent / "_gallery.toml"
LANGUAGES = ("en", "fr")


class Picture(NamedTuple):
    """A figure whose files lie beside the page."""

    name: str  # experiment/figure
    frames: list[str]  # paths from the page; several for a sequence through training
    width: int  # pixels
    height: int


class Group(NamedTuple):
    """Claims of one run."""

    result: Result
    command: str
    claims: list[Claim]


class Card(NamedTuple):
    """A row of the slides with all that is known about it."""

    row: Row
    state: str
    groups: list[Group]
    commands: list[str]  # that would make what is missing: its claims or its figures
    pictures: list[Picture]


class Words:
    """The texts of one language."""

    def __init__(self, lang: str):
        self.lang, self._place = lang, LANGUAGES.index(lang)
        self._tables = tomllib.loads(TEXTS.read_text())

    def __call__(self, key: str, *values: Any, table: str = "text") -> str:
        """A text with its values, escaped for HTML."""
        return html.escape(self._tables[table][key][self._place].format(*values))

    def raw(self, key: str) -> str:
        """A text with its {} left for the script to fill."""
        return html.escape(self._tables["text"][key][self._place])

    def caption(self, name: str) -> str:
        """What a figure shows; its name where the captions have none."""
        known = self._tables["figure"].get(name)
        return html.escape(known[self._place] if known else name.replace("/", ": ").replace("_", " "))


def card_html(words: Words, card: Card) -> str:
    """An article: statement, term, remark, claims, and the figures beside them."""
    row = card.row
    says, note = (row.fr, row.note_fr) if words.lang == "fr" else (row.en, row.note_en)
    parts = [
        f'<p class="meta"><a href="#{row.id}">{row.id}</a> <span>{words(row.kind, table="kind")}</span> '
        f"<span>{where(row.at)}</span> "
        f'<span class="badge {card.state}">{words(card.state, table="state")}</span></p>',
        f"<h3>{html.escape(says)}</h3>",
        f'<p class="term"><span class="away">{words("term")}: </span>'
        f'<span lang="fr">{html.escape(row.term)}</span></p>',
    ]
    if note:
        parts.append(f'<p class="note"><span class="away">{words("note")}: </span>{html.escape(note)}</p>')
    parts += [group_html(words, group, row.id) for group in card.groups]
    missing = "not_run" if card.state == "open" else "no_figure"
    if card.state == "open" or card.commands:
        commands = " ".join(f"<code>{html.escape(command)}</code>" for command in card.commands)
        parts.append(f'<p class="made">{words(missing)} {commands}</p>')
    figures = "".join(figure_html(words, picture) for picture in card.pictures)
    decks = " ".join(dict.fromkeys(place.deck for place in row.at))
    return (
        f'<article id="{row.id}"{" class=drawn" if figures else ""} data-decks="{decks}" '
        f'data-state="{card.state}"><div class="words">{"".join(parts)}</div>'
        + (f'<div class="figures">{figures}</div>' if figures else "")
        + "</article>"
    )


def group_html(words: Words, group: Group, subject: str) -> str:
    """A table of claims, and how they were made."""
    columns = ("claim", "expected", "measured", "verdict")
    head = "".join(f'<th scope="col"><span>{words(column)}</span></th>' for column in columns)
    lines = "".join(_claim(words, claim) for claim in group.claims)
    content = group.result.content
    made = [html.escape(str(content[key])) for key in ("device", "date")]
    run = [subject, group.result.experiment, group.result.variant]
    caption = words("numbers", " ".join(filter(None, run)))
    return (
        f'<div class="scroll" role="group" aria-label="{caption}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
        f'<p class="made"><code>{html.escape(group.command)}</code> · {" · ".join(made)} · '
        f"{content['seconds']:.0f} s</p>"
    )


def _claim(words: Words, claim: Claim) -> str:
    source = re.sub(r"^[\d:-]+$", "", claim.source)  # the lines stand above; what else it cites does not
    expected = re.sub(r" \+- 0$", "", claim.expected).replace("+-", "±")
    expected = expected.replace(">=", "≥").replace("<=", "≤")
    number = re.search(r"\d[\d.]*", claim.expected)
    digits = len(number[0].lstrip("0.").replace(".", "")) if number else 0
    measured = f"{claim.measured:.{max(5, digits)}g}"  # so that every digit of the slide can be compared
    if claim.seeds > 1:
        measured += f" ± {claim.std:.3g}"
    seeds = f" <small>({words('seeds', claim.seeds)})</small>" if claim.seeds > 1 else ""
    kind, text = ("holds", "yes") if claim.holds else ("fails", "no")
    return (
        f'<tr><th scope="row" lang="en">{html.escape(claim.name)}'
        f"{source and f' <small>{html.escape(source)}</small>'}</th><td>{html.escape(expected)}</td>"
        f"<td>{html.escape(measured)}{seeds}</td>"
        f'<td class="badge {kind}"><span>{words(text)}</span></td></tr>'
    )


def figure_html(words: Words, picture: Picture) -> str:
    """A figure that opens in full, or a film whose last frame is what paper and old browsers show."""
    caption = words.caption(picture.name)
    frames = [quote(frame) for frame in picture.frames]
    image = f'<img src="{frames[-1]}" alt="{caption}" width="{picture.width}" height="{picture.height}">'
    small = " small" if picture.width < 300 else ""
    if len(frames) == 1:
        link = f'<a href="{frames[0]}" title="{words("enlarge")}">{image}</a>'
        return f'<figure class="still{small}">{link}<figcaption>{caption}</figcaption></figure>'
    place = words("frame", len(frames), len(frames))
    controls = (
        f'<div class="controls" hidden><button type="button" data-play="{words("play")}" '
        f'data-pause="{words("pause")}">{words("play")}</button>'
        f'<input type="range" min="1" max="{len(frames)}" value="{len(frames)}" '
        f'aria-label="{words("film")}: {caption}" aria-valuetext="{place}">'
        f'<output data-text="{words.raw("frame")}">{place}</output></div>'
    )
    listed = html.escape(json.dumps(frames))
    return (
        f'<figure class="film{small}" data-frames="{listed}">{image}{controls}'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def where(places: Iterable[Place], between: str = ", ") -> str:
    """Where on the slides: 001:731-753, 002:247."""
    return between.join(map(str, places))
