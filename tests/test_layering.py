"""Imports go one way (the arrows of the architecture), and the core stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What each room may import of jaxdl. Inside a room imports are free.
ALLOWED = {
    "errors": set(),
    "learner": set(),
    "losses": set(),
    "metrics": set(),
    "frechet": set(),
    "graph": set(),
    "plots": {"graph"},
    "models": set(),
    "envs": set(),
    "data": set(),
    "transforms": {"learner"},
    "contract": {"learner", "transforms"},
    "learners": {"learner", "losses", "metrics", "envs"},
    "run": {"learner", "transforms", "metrics", "data", "plots", "envs"},
    "__init__": {"learner"},
}
HEAVY = (
    "tensorflow_datasets",
    "sklearn",
    "matplotlib",
    "orbax",
    "tyro",
    "tqdm",
    "tensorboardX",
    "tensorflow",
    "gymnasium",
)


def imports(path: Path) -> set[str]:
    """The rooms of jaxdl that a file imports, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "jaxdl":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {(a.name + ".").split(".")[1] for a in node.names if a.name.split(".")[0] == "jaxdl"}
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: write imports in full"
    return found


FILES = sorted((ROOT / "jaxdl").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    room = path.relative_to(ROOT / "jaxdl").parts[0].removesuffix(".py")
    rooms = {
        name
        for name in imports(path)
        if (ROOT / "jaxdl" / name).exists() or (ROOT / "jaxdl" / f"{name}.py").exists()
    }
    assert rooms <= ALLOWED[room] | {room, "errors"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_reader_can_follow(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a file says what it is for"
    assert len(path.read_text().splitlines()) <= 320


def test_nothing_imports_the_experiments():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert "experiments" not in [name.partition(".")[0] for name in names], path


@pytest.mark.parametrize("module", ["jaxdl", "jaxdl.transforms", "jaxdl.models", "jaxdl.learners.supervised",
                                    "jaxdl.data", "jaxdl.plots", "jaxdl.contract", "jaxdl.run"])  # fmt: skip
def test_import_is_light(module):
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == "[]"
