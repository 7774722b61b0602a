"""Builds the gallery, a folder that a browser opens: python -m experiments gallery."""

import argparse
import dataclasses
import importlib
import json
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from experiments import _gallery_page as pages
from experiments import _slides as slides
from experiments._gallery_card import LANGUAGES, Card, Group, Picture
from experiments._slides import Result, Row
from jaxdl.errors import InputError, require, require_choice
from jaxdl.run import config as configs
from jaxdl.run.folder import RUNS

NEEDED = {"experiment", "config", "claims", "date", "device", "seconds"}  # of a result.json
DESCRIPTION = "Builds index.html from the run folders and from experiments/results."


def main(words: Sequence[str], scripts: Mapping[str, Any]) -> int:
    """The command line of the gallery.

    Args:
      words: after `python -m experiments gallery`.
      scripts: as `experiments.__main__.scripts()` finds them.

    Raises:
      InputError: an option that is unknown or cannot be used.
    """
    parser = _Parser(prog="python -m experiments gallery", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--runs", type=Path, help="folder with run folders, at any depth (default: runs)")
    parser.add_argument("--out", type=Path, help="folder that is made (default: gallery in that of the runs)")
    parser.add_argument("--lang", default="en", help="en or fr (default: en)")
    given = parser.parse_args(words)
    require(given.runs is None or given.runs.is_dir(), "--runs", str(given.runs), "a folder of runs",
            "leave it out for the committed results alone")  # fmt: skip
    runs = given.runs or RUNS
    written = build(runs, given.out or runs / "gallery", scripts, given.lang)
    print(f"open {written}")
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError("gallery", message, "the options of --help", "--runs FOLDER --out FOLDER --lang fr")


def build(runs: Path, out: Path, scripts: Mapping[str, Any], lang: str = "en") -> Path:
    """Write the page and its images.

    Args:
      runs: folder below which the run folders lie; it may be missing.
      out: a new or empty folder, or that of an earlier gallery, which is replaced.
      scripts: the experiments by name, for their titles and default options.
      lang: "en" or "fr".

    Returns:
      The path of index.html.

    Raises:
      InputError: no such language, or a folder that holds something else.
    """
    require_choice("--lang", lang, LANGUAGES)
    index, images = out / "index.html", out / "images"
    old = index.is_file() and f'content="{pages.GENERATOR}"' in index.read_text()
    free = old or not out.exists() or (out.is_dir() and not any(out.iterdir()))
    require(free, "--out", str(out), "a new or an empty folder, or an earlier gallery", "choose another")
    if old and images.exists():
        shutil.rmtree(images)
    decks, rows = slides.catalogue()
    results = collect(runs)
    commands = {id(each): command(each, scripts) for each in results}
    cards = [_card(row, results, commands, scripts, out) for row in rows]
    beyond = _beyond(cards, results, commands, scripts, out)
    out.mkdir(parents=True, exist_ok=True)
    index.write_text(pages.page(lang, decks, cards, beyond))
    return index


def collect(runs: Path) -> list[Result]:
    """The newest run of each experiment and choice of options, and the committed records of the others.

    Runs are told apart by the options that are words (the data set, the loss ...), not by numbers, so
    that a newer, longer run takes the place of an older one. The single runs of a sweep are left out:
    which of them is newest means nothing.
    """
    found = {(*_kind(each.content), each.variant): each for each in slides.committed()}
    dated = []
    for path in runs.glob("**/result.json"):
        content = configs.read_json(path, "--runs")
        if "=" not in path.parent.name and content.keys() >= NEEDED:
            dated.append((content["date"], path.stat().st_mtime, path, content))
    for _, _, path, content in sorted(dated, key=lambda each: each[:2]):
        kind = _kind(content)
        alike = [each for key, each in found.items() if key[:2] == kind]
        same = [each for each in alike if each.content["config"] == content["config"]]
        names = [each.variant for each in same or alike]
        variant = names[0] if names else ", ".join(Path(value).name for _, value in kind[1])
        found[*kind, variant] = slides.result(content, variant, path.parent)
    return sorted(found.values(), key=lambda each: (each.experiment, each.variant))


def command(result: Result, scripts: Mapping[str, Any]) -> str:
    """The command line that makes a result, from the options in which it differs from the defaults."""
    words = ["python -m experiments", result.experiment]
    config = result.content["config"]
    if result.experiment in scripts:
        module = importlib.import_module(scripts[result.experiment].module)
        presets = getattr(module, "PRESETS", {})
        preset = presets.get(config.get("dataset"))
        default = json.loads(json.dumps(dataclasses.asdict(preset or module.Config())))
        if preset is not None:
            words += ["--dataset", config["dataset"]]
        for name in config:
            if config[name] != default.get(name, config[name]):
                words += _option(name, config[name])
    return " ".join([words[0], shlex.join(words[1:])])


def _option(name: str, value: Any) -> list[str]:
    option = configs.option(name)
    if isinstance(value, bool):
        return [option if value else option.replace("--", "--no-", 1)]
    return [option, *map(str, value if isinstance(value, list) else [value])]


def _kind(content: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    words = [(name, value) for name, value in content["config"].items() if isinstance(value, str)]
    return content["experiment"], tuple(sorted(words))


def _card(
    row: Row, results: list[Result], commands: dict[int, str], scripts: Mapping[str, Any], out: Path
) -> Card:
    claims = slides.shown_by(row, results)
    groups = {id(each): Group(each, commands[id(each)], []) for each, _ in claims}
    for each, claim in claims:
        groups[id(each)].claims.append(claim)
    names = row.show
    if names is None:
        sources = [group.result for group in groups.values()] if row.kind in ("figure", "number") else []
        names = tuple(dict.fromkeys(f"{each.experiment}/{name}" for each in sources for name in _drawn(each)))
    pictures = [picture for name in names if (picture := _picture(name, results, out))]
    wanted = [] if claims else [link.partition(":")[0] for link in row.by]
    wanted += [] if pictures or row.flag else [name.partition("/")[0] for name in names]
    makers = [f"python -m experiments {name}" for name in dict.fromkeys(wanted) if name in scripts]
    return Card(row, slides.state(row, claims), list(groups.values()), makers, pictures)


def _beyond(
    cards: list[Card],
    results: list[Result],
    commands: dict[int, str],
    scripts: Mapping[str, Any],
    out: Path,
) -> list[Card]:
    """What no row names: nothing that was measured is left out of the page."""
    named = {(id(group.result), claim) for card in cards for group in card.groups for claim in group.claims}
    shown = {picture.name for card in cards for picture in card.pictures}
    found: dict[str, Card] = {}
    for each in results:
        left = [claim for claim in each.claims if (id(each), claim) not in named]
        names = [f"{each.experiment}/{name}" for name in _drawn(each)]
        pictures = [_picture(name, results, out) for name in names if name not in shown]
        if left or pictures:
            title = scripts[each.experiment].title if each.experiment in scripts else each.experiment
            row = Row(each.experiment, (), "practice", "", title, title)
            card = found.setdefault(each.experiment, Card(row, "", [], [], []))
            card.pictures.extend(picture for picture in pictures if picture)
            shown.update(names)
            if left:
                card.groups.append(Group(each, commands[id(each)], left))
    return list(found.values())


def _drawn(result: Result) -> list[str]:
    """The names of a run's figures."""
    figures = (result.folder / "figures").glob("*") if result.folder else ()
    return sorted({path.stem for path in figures if path.suffix in (".png", ".gif")})


def _picture(name: str, results: Iterable[Result], out: Path) -> Picture | None:
    """Copy a figure beside the page, from the first run that has it: a GIF as its single frames."""
    from PIL import Image, ImageSequence

    experiment, _, figure = name.partition("/")
    for each in results:
        if each.experiment == experiment and figure in _drawn(each):
            assert each.folder is not None
            source = each.folder / "figures" / f"{figure}.gif"
            target = out / "images" / experiment
            target.mkdir(parents=True, exist_ok=True)
            if not source.exists():
                source = source.with_suffix(".png")
                shutil.copyfile(source, target / source.name)
            with Image.open(source) as image:
                files = [f"{figure}.png"]
                if source.suffix == ".gif":
                    files = []
                    for i, frame in enumerate(ImageSequence.Iterator(image)):
                        files.append(f"{figure}-{i:03}.png")
                        frame.convert("RGB").save(target / files[-1], optimize=True)
                return Picture(name, [f"images/{experiment}/{file}" for file in files], *image.size)
    return None
