"""What the pages say is true: their Python runs, their commands parse, their table is the results'."""

import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

from experiments import __main__ as runner
from experiments import _table
from jaxdl.run import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = sorted(
    {
        line.split("#")[0].strip()
        for page in PAGES
        for line in re.findall(r"^(?: {4})?(python -m experiments [a-z].*)$", page.read_text(), re.MULTILINE)
    }
)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    namespace: dict = {"__name__": "page"}
    exec(compile("\n".join(blocks), str(page), "exec"), namespace)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_understood(command):
    name, *words = shlex.split(command)[3:]
    if name in ("all", "table", "gallery", "slides", "benchmarks"):
        return
    module = importlib.import_module(runner.scripts()[name].module)
    words = [word for word in words if word != "--help"]
    found, _, _ = cli.parse(module.Config, words, name, presets=getattr(module, "PRESETS", None))
    assert found


def test_the_readme_has_the_commands_of_the_architecture():
    text = (ROOT / "README.md").read_text()
    assert "pip install -c constraints.txt -e . && python -m experiments cnn" in text
    assert "pip install -c constraints.txt -e '.[dev]' && pytest" in text


def test_the_table_is_that_of_the_committed_results():
    assert _table.markdown() in (ROOT / "README.md").read_text(), "python -m experiments table"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "experiments" / "results").glob("*.json")), ids=lambda p: p.stem
)
def test_committed_results_belong_to_a_script(path):
    result = json.loads(path.read_text())
    script = importlib.import_module(runner.scripts()[result["experiment"]].module)
    assert set(result["config"]) == set(script.Config.__dataclass_fields__)
    assert path.stem.split("-")[0] == result["experiment"]
    assert result["experiment"] in runner.scripts()
