"""The GPU benchmark as tables: every row of every part, with its numbers or with "not run"."""

from collections.abc import Callable, Mapping
from typing import Any

from experiments.benchmarks import _page
from experiments.benchmarks._cases import CASES, WIDER
from experiments.benchmarks._gpu_parts import PARTS

COMMAND = "python -m experiments.benchmarks.gpu --page"
TITLES = {**CASES, **WIDER}
Cells = Callable[[Mapping[str, Any]], list[str]]  # of a measured row
LONG = 70  # characters of a reason in a table


def write(results: Mapping[str, Any]) -> int:
    """Put the tables into docs/benchmarks.md, between their marks."""
    _page.insert({"gpu": page(results)}, COMMAND)
    return 0


def page(results: Mapping[str, Any]) -> str:
    """Markdown: the tables of every device that was there, or of none."""
    blocks = []
    for device, found in (results or {"": {"parts": {}}}).items():
        said = [f"{name} {version}" for name, version in found.get("versions", {}).items() if version]
        blocks.append(f"Measured on {device}; {', '.join(said)}." if device else "Not run: no accelerator.")
        for part, (title, _, _) in PARTS.items():
            blocks += [f"`{part}`: {title}.", table(part, found["parts"].get(part, {}))]
    return "\n\n".join(blocks)


def table(part: str, measured: Mapping[str, Any]) -> str:
    """Markdown: all rows of a part."""
    heads, cells = COLUMNS[part]
    lines = ["| " + " | ".join(["what", *heads]) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in PARTS[part].rows:
        found, rest = measured.get(row), ["-"] * (len(heads) - 1)
        if found is None:
            values = ["not run", *rest]
        elif "error" in found:
            values = [f"failed: {found['error'].replace('|', '/')[:LONG]}", *rest]
        else:
            values = cells(found)
        lines.append("| " + " | ".join([label(part, row), *values]) + " |")
    return "\n".join(lines)


def label(part: str, row: str) -> str:
    """A row's name for people.

    >>> label("families", "mlp bf16"), label("seeds", "cnn 64"), label("mnist", "99.4 float32")
    ('MLP 784-512-512-10, bf16', 'cnn, 64 seeds', '99.4 %, float32')
    """
    first, _, rest = row.partition(" ")
    if part == "dqn":
        return f"{int(first):,} seed{'s' * (first != '1')}"
    if part == "seeds":
        return f"{first}, {int(rest):,} seed{'s' * (rest != '1')}"
    title = f"{first} %" if part == "mnist" else TITLES[first].title
    return f"{title}, {rest}" if rest else title


def summary(part: str, row: Mapping[str, Any]) -> str:
    """What a row has in the table, in a line for the terminal."""
    if "error" in row:
        return f"failed: {row['error']}"
    heads, cells = COLUMNS[part]
    return ", ".join(f"{head} {cell}" for head, cell in zip(heads, cells(row), strict=True))


def timed(row: Mapping[str, Any]) -> list[str]:
    """Of `families` and `lstm`: ours, and how many times as fast as each form of torch's."""
    eager = [f"torch{layout}" for layout in ("", " channels_last")]
    best = min(
        (v for v in eager if v in row["ratios"]), key=lambda v: row["ratios"][v]["ratio"], default="torch"
    )
    other = next((v for v in ("ours, step by step", "ours, epoch scan") if v in row["ratios"]), "")
    forms = (best, "torch fused", "torch compile", "torch compile graph", "torch graph", other)
    off = row["difference"]
    return [
        speed(row, "ours"),
        *(ratio(row, form) for form in forms),
        "-" if off is None else f"{off:.0e}",
        *(f"{fact(row, 'ours', name)} / {fact(row, best, name)}" for name in ("peak_mb", "first_step_s")),
    ]


def priced(row: Mapping[str, Any]) -> list[str]:
    """Of `deterministic`: the speed without and with the flag, the price, and who repeats the bits."""
    flag, repeats = "ours, deterministic", row["repeats"]
    words = {True: "yes", False: "no", None: "-"}
    same = " / ".join(words[repeats.get(variant)] for variant in ("ours", flag))
    return [speed(row, "ours"), speed(row, flag), ratio(row, flag), same]


def profiled(row: Mapping[str, Any]) -> list[str]:
    """Of `profile`: the time of a step, and the kernels that take most of it."""
    kernels = [f"{each['share']:.0%} {each['kernel'].replace('|', '/')[:40]}" for each in row["kernels"][:5]]
    return [f"{row['ms_per_step']}", f"{row['launches_per_step']}", f"{row['busy']:.0%}", "; ".join(kernels)]


def to_target(row: Mapping[str, Any]) -> list[str]:
    """Of `mnist`: means over the seeds that got there."""
    names = ("seconds", "without_compile", "epochs")
    return [
        *("-" if row[name] is None else f"{row[name]:g}" for name in names),
        f"{row['reached']} of {row['of']}",
    ]


def fact(row: Mapping[str, Any], variant: str, name: str) -> str:
    """A number of a variant, or a dash where it does not take part."""
    return str(row["variants"][variant][name]) if variant in row["variants"] else "-"


def speed(row: Mapping[str, Any], variant: str) -> str:
    """Examples per second of a variant."""
    found = row["variants"].get(variant)
    return row["failed"].get(variant, "-") if found is None else f"{found['examples_per_second']:,.0f}"


def ratio(row: Mapping[str, Any], variant: str) -> str:
    """How many times as long a variant takes as ours, with the range over the rounds."""
    found = row["ratios"].get(variant)
    if found is None:
        return row["failed"].get(variant, "-")
    return f"{found['ratio']:.2f} [{found['min']:.2f}-{found['max']:.2f}]"


FORMS = [
    "ours, examples per second",
    "over torch, best layout",
    "over torch fused",
    "over torch.compile",
    "over torch.compile, reduce-overhead",
    "over a CUDA graph of the step",
    "over our other form",
    "losses apart",
    "peak MB, ours / torch",
    "first step, s, ours / torch",
]
COLUMNS: dict[str, tuple[list[str], Cells]] = {
    "families": (FORMS, timed),
    "lstm": (FORMS, timed),
    "seeds": (
        ["examples per second, all seeds", "first step, s"],
        lambda row: [f"{row['examples_per_second']:,.0f}", f"{row['first_step_s']}"],
    ),
    "mnist": (["seconds", "without compilation", "epochs", "seeds that got there"], to_target),
    "dqn": (
        ["compile, s", "run, s", "environment steps per second", "seeds with greedy >= 475", "mean return"],
        lambda row: [f"{row['compile_s']}", f"{row['run_s']}", f"{row['steps_per_second']:,}",
                     f"{row['solved']:.1%}", f"{row['mean_return']}"],
    ),
    "deterministic": (
        ["examples per second", "with --deterministic", "times slower", "same bits twice, without / with"],
        priced,
    ),
    "profile": (["ms per step", "kernels per step", "device busy", "most of its time"], profiled),
}  # fmt: skip
