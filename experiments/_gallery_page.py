"""The gallery as HTML: one page with its stylesheet and its script inside, and images beside it."""

import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiments._gallery_card import Card, Words, card_html, figure_html, group_html, where
from experiments._slides import STATES, Deck

HERE = Path(__file__).parent
GENERATOR = "jaxdl gallery"


def page(lang: str, decks: Mapping[str, Deck], cards: Sequence[Card], beyond: Sequence[Card]) -> str:
    """The whole page.

    Args:
      lang: "en" or "fr".
      decks: by their id.
      cards: the rows, in the order of the slides.
      beyond: claims that no row names, one card per experiment.
    """
    words = Words(lang)
    numbers = {state: sum(card.state == state for card in cards) for state in STATES}
    body = [
        f'<a class="skip" href="#slides">{words("skip")}</a>',
        _header(words, numbers, len(cards)),
        _filters(words, decks, numbers),
        '<main id="slides" class="wide" tabindex="-1">',
        *(_deck(words, deck, [c for c in cards if c.row.at[0].deck == deck.id]) for deck in decks.values()),
        _beyond(words, beyond),
        _coverage(words, cards),
        "</main>",
        f'<footer class="wide">{words("footer")}</footer>',
    ]
    style, script = ((HERE / f"_gallery.{kind}").read_text() for kind in ("css", "js"))
    head = f"""<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="{GENERATOR}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{words("title")}</title>
<style>
{style}</style>
</head>
<body>"""
    return "\n".join([head, *body, f"<script>\n{script}</script>\n</body>\n</html>\n"])


def _header(words: Words, numbers: Mapping[str, int], total: int) -> str:
    items = "".join(
        f'<li class="{state}"><b>{number}</b>{words(state, table="state")}</li>'
        for state, number in numbers.items()
    )
    bar = "".join(f'<span class="{s}" style="flex: {n}"></span>' for s, n in numbers.items() if n)
    return (
        f'<header class="page wide"><h1>{words("title")}</h1>\n<p class="intro">{words("intro")}</p>\n'
        f'<ul class="counts">{items}</ul>\n<div class="bar" aria-hidden="true">{bar}</div></header>'
    )


def _filters(words: Words, decks: Mapping[str, Deck], numbers: Mapping[str, int]) -> str:
    """Two groups of radio buttons, hidden until the script makes them work."""
    states = {state: words(state, table="state") for state, number in numbers.items() if number}
    groups = [("deck", {deck: deck for deck in decks}), ("state", states)]
    fieldsets = []
    for name, choices in groups:
        chips = "".join(
            f'<label class="chip"><input type="radio" name="{name}" value="{value}"'
            f"{'' if value else ' checked'}><span>{text}</span></label>"
            for value, text in {"": words("all"), **choices}.items()
        )
        fieldsets.append(f"<fieldset><legend>{words(name)}</legend>{chips}</fieldset>")
    return (
        f'<search class="filters" hidden aria-label="{words("filters")}"><form class="wide">'
        f"{''.join(fieldsets)}\n"
        f'<button type="reset">{words("reset")}</button> '
        f'<output aria-live="polite" data-text="{words.raw("visible")}"></output></form></search>'
    )


def _deck(words: Words, deck: Deck, cards: Iterable[Card]) -> str:
    author = f'<p class="author">{html.escape(deck.author)}</p>' if deck.author else ""
    title = f'<span lang="fr">{html.escape(deck.title)}</span>'
    return (
        f'<section aria-labelledby="deck-{deck.id}"><h2 id="deck-{deck.id}">'
        f'<span class="number">{deck.id}</span>{title}</h2>{author}\n'
        + "\n".join(card_html(words, card) for card in cards)
        + "\n</section>"
    )


def _beyond(words: Words, cards: Sequence[Card]) -> str:
    if not cards:
        return ""
    articles = []
    for card in cards:
        groups = "".join(group_html(words, group, "") for group in card.groups)
        plot = "".join(figure_html(words, picture) for picture in card.pictures)
        articles.append(
            f'<div class="run"><h3 lang="en">{html.escape(card.row.en)}</h3>{groups}'
            f"{plot and f'<div class=plot>{plot}</div>'}</div>"
        )
    return (
        f'<section aria-labelledby="beyond"><h2 id="beyond">{words("beyond")}</h2>'
        f'<p class="author">{words("beyond_intro")}</p>{"".join(articles)}</section>'
    )


def _coverage(words: Words, cards: Iterable[Card]) -> str:
    head = "".join(f'<th scope="col">{words(key)}</th>' for key in ("row", "lines", "statement", "state"))
    lines = "".join(
        f'<tr data-decks="{" ".join(dict.fromkeys(place.deck for place in card.row.at))}" '
        f'data-state="{card.state}"><td><a href="#{card.row.id}">{card.row.id}</a></td>'
        f'<td class="number">{where(card.row.at, "<br>")}</td>'
        f'<th scope="row">{html.escape(card.row.fr if words.lang == "fr" else card.row.en)}</th>'
        f'<td class="badge {card.state}">{words(card.state, table="state")}</td></tr>'
        for card in cards
    )
    return (
        f'<section aria-labelledby="coverage"><h2 id="coverage">{words("coverage")}</h2>'
        f'<p class="author">{words("coverage_intro")}</p><div class="scroll" role="group" '
        f'aria-label="{words("coverage")}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div></section>"
    )
