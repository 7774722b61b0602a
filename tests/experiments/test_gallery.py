"""The page made from the results: what it holds, and that a browser can use it."""

import dataclasses
import html
import importlib
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from experiments import __main__ as runner
from experiments import _gallery, _slides
from experiments._gallery_card import LANGUAGES
from jaxdl.errors import InputError
from jaxdl.run import cli

CATALOGUE = _slides.catalogue()
COMMITTED = _slides.committed()
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def fake_run(folder: Path, experiment: str, date: str, measured: float = 0.95, **options) -> None:
    """A run folder with a figure, and a sequence of frames."""
    from PIL import Image

    (folder / "figures").mkdir(parents=True)
    record = next(each.content for each in COMMITTED if each.experiment == experiment)
    claims = [{**claim, "measured": measured, "holds": measured > 0.9} for claim in record["claims"]]
    content = {**record, "date": date, "claims": claims, "config": {**record["config"], **options}}
    (folder / "result.json").write_text(json.dumps(content))
    Image.new("RGB", (30, 20), "white").save(folder / "figures" / "strip & <more>.png")
    frames = [Image.new("RGB", (30, 20), color) for color in ("white", "gray", "black")]
    frames[0].save(folder / "figures" / "training.gif", save_all=True, append_images=frames[1:])


@pytest.fixture(scope="module")
def galleries(tmp_path_factory):
    """The gallery of a fake run and the committed results, in each language."""
    runs = tmp_path_factory.mktemp("runs")
    fake_run(runs / "deep" / "dcgan", "dcgan", "2030-01-01")
    return {lang: _gallery.build(runs, runs / lang, runner.scripts(), lang) for lang in LANGUAGES}


class Page(HTMLParser):
    """The elements of a page; refuses one that is not closed as it was opened."""

    VOID = ("meta", "link", "img", "br", "input")

    def __init__(self, path: Path):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(path.read_text())
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module", params=LANGUAGES)
def page(galleries, request):
    return galleries[request.param], Page(galleries[request.param])


def test_every_image_exists_and_is_described(page):
    path, parsed = page
    images = parsed.all("img")
    assert images
    films = [json.loads(figure["data-frames"]) for figure in parsed.all("figure") if "data-frames" in figure]
    frames = [source for film in films for source in film]
    assert len(set(frames)) == 3
    for source in [*(image["src"] for image in images), *frames]:
        assert (path.parent / unquote(source)).is_file(), source
    assert all(image["alt"].strip() and int(image["width"]) > 0 for image in images)


def test_the_page_needs_nothing_from_outside(page):
    path, parsed = page
    keys = ("href", "src", "srcset", "action")
    addresses = [each[key] for _, each in parsed.elements for key in keys if key in each]
    assert not [each for each in addresses if re.match(r"\w+:|//", each) and each != "data:,"]
    assert not re.search(r"https?://|@import|url\(", path.read_text())
    assert len(parsed.all("style")) == len(parsed.all("script")) == 1


def test_the_page_can_be_used_without_eyes(page):
    path, parsed = page
    assert parsed.all("html")[0]["lang"] == path.parent.name
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = [link["href"][1:] for link in parsed.all("a") if link["href"].startswith("#")]
    assert set(inside) <= set(ids)
    assert parsed.all("a")[0]["class"] == "skip"
    assert {"header", "main", "footer", "search", "h1"} <= {tag for tag, _ in parsed.elements}
    sliders = [field for field in parsed.all("input") if field["type"] == "range"]
    assert sliders
    assert all(slider["aria-label"] for slider in sliders)


def test_both_languages_have_every_row_with_the_same_state(galleries):
    rows = [[(a["id"], a["data-state"]) for a in Page(path).all("article")] for path in galleries.values()]
    assert rows[0] == rows[1]
    assert [name for name, _ in rows[0]] == [row.id for row in CATALOGUE.rows]
    french = galleries["fr"].read_text()
    assert all(html.escape(row.fr) in french for row in CATALOGUE.rows)


def test_no_claim_is_left_out(galleries):
    text = galleries["en"].read_text()
    for result in COMMITTED:
        for claim in result.claims:
            assert html.escape(claim.name) in text, claim.name


def test_the_newest_run_counts_and_a_sweep_does_not(tmp_path):
    for i, (name, date, measured) in enumerate(
        [("old", "2030-01-01", 0.1), ("new", "2030-01-02", 0.95), ("steps=7", "2030-01-03", 0.2)]
    ):
        fake_run(tmp_path / name, "dcgan", date, measured, steps=100 + i)
    fake_run(tmp_path / "other", "dcgan", "2029-01-01", 0.3, loss="minimax")
    found = [each for each in _gallery.collect(tmp_path) if each.experiment == "dcgan" and each.folder]
    assert [(each.folder.name, each.claims[0].measured) for each in found] == [("new", 0.95), ("other", 0.3)]
    elsewhere = [each for each in _gallery.collect(tmp_path) if each.experiment != "dcgan"]
    assert len(elsewhere) == len([each for each in COMMITTED if each.experiment != "dcgan"])


@pytest.mark.parametrize("record", COMMITTED, ids=lambda each: f"{each.experiment}-{each.variant}")
def test_the_command_shown_gives_the_configuration_recorded(record):
    _, _, _, name, *words = _gallery.command(record, runner.scripts()).split()
    module = importlib.import_module(runner.scripts()[name].module)
    (config,), _, _ = cli.parse(module.Config, words, name, presets=getattr(module, "PRESETS", None))
    assert json.loads(json.dumps(dataclasses.asdict(config))) == record.content["config"]


def test_what_cannot_be_used_is_refused(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("my own page")
    cases = {
        ("--lang", "de"): ["--lang", "'de'", "en, fr"],
        ("--runs", str(tmp_path / "none")): ["--runs", "a folder of runs"],
        ("--out", str(tmp_path / "mine")): ["--out", "an earlier gallery", "choose another"],
        ("--colour", "red"): ["--colour", "--help"],
        ("--out",): ["--out", "--help"],
    }
    for words, parts in cases.items():
        out = () if "--out" in words else ("--out", str(tmp_path / "new"))
        assert runner.main(["gallery", *words, *out]) == 2, words
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert all(part in error for part in parts), error
    assert (tmp_path / "mine" / "index.html").read_text() == "my own page"
    assert not (tmp_path / "new").exists()


def test_a_gallery_replaces_an_earlier_one(tmp_path):
    fake_run(tmp_path / "run", "dcgan", "2030-01-01")
    out = tmp_path / "gallery"
    words = ["gallery", "--runs", str(tmp_path), "--out", str(out)]
    assert runner.main(words) == 0
    (out / "images" / "stale.png").write_bytes(b"")
    assert runner.main([*words, "--lang", "fr"]) == 0
    assert 'lang="fr"' in (out / "index.html").read_text()
    assert not (out / "images" / "stale.png").exists()
    with pytest.raises(InputError):
        _gallery.build(tmp_path, tmp_path / "run", runner.scripts())


# ---------------------------------------------------------------- in a real browser

PROBE = """
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const shown = () => [...document.querySelectorAll("article")].filter((a) => !a.hidden).map((a) => a.id);
(async () => {
  const report = {start: shown().length, said: document.querySelector("output").textContent};
  report.broken = [...document.images].filter((i) => !i.complete || !i.naturalWidth).map((i) => i.src);
  const deck = document.querySelector('input[name=deck][value="002"]');
  deck.focus(); report.focused = document.activeElement === deck; deck.click();
  document.querySelector('input[name=state][value="wrong"]').click();
  report.filtered = shown();
  document.querySelector("button[type=reset]").click();
  await wait(50);
  report.reset = shown().length;
  const film = document.querySelector(".film"), slider = film.querySelector("input");
  slider.focus(); report.slider = document.activeElement === slider;
  slider.value = 1; slider.dispatchEvent(new Event("input"));
  report.first = film.querySelector("img").getAttribute("src");
  report.text = slider.getAttribute("aria-valuetext");
  film.querySelector("button").click();
  await wait(1000);
  report.last = film.querySelector("img").getAttribute("src");
  report.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (window.axe) {
    const found = (await axe.run()).violations.filter((v) => ["serious", "critical"].includes(v.impact));
    report.axe = found.map((v) => v.id + ": " + v.nodes[0].html);
  }
  const pre = document.createElement("pre");
  pre.id = "report"; pre.textContent = JSON.stringify(report);
  document.body.append(pre);
})();
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize(("width", "lang"), [(1280, "en"), (500, "fr")])
def test_in_a_browser(galleries, tmp_path, width, lang):
    assert BROWSER is not None
    site = shutil.copytree(galleries[lang].parent, tmp_path / "site")
    text = (site / "index.html").read_text()
    axe = Path(os.environ.get("JAXDL_AXE", "none"))  # axe.min.js of npm's axe-core
    scripts = f"<script>{axe.read_text() if axe.is_file() else ''}</script><script>{PROBE}</script></body>"
    (site / "index.html").write_text(text.replace("</body>", scripts))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
               f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900",
               "--virtual-time-budget=10000", "--dump-dom", (site / "index.html").as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'<pre id="report">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    report = json.loads(html.unescape(found[1]))
    total = len(CATALOGUE.rows)
    assert report["start"] == report["reset"] == total
    assert str(total) in report["said"]
    assert report["broken"] == []
    assert report["focused"]
    assert report["slider"]
    wrong = [row.id for row in CATALOGUE.rows if row.flag == "wrong" and "002" in {p.deck for p in row.at}]
    assert report["filtered"] == wrong
    assert report["first"].endswith("000.png")
    assert report["text"].startswith("1 ")
    assert report["last"].endswith("002.png"), "the play button shows all frames and stops"
    assert report["wide"] <= 0, "nothing is wider than the screen"
    assert report.get("axe", []) == []
