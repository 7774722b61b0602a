"""The families benchmark as a page: tables and a figure from its results, in docs/ and the README."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.benchmarks._cases import CASES
from experiments.benchmarks.families import best, verdict
from jaxdl import plots

RESULTS, DOCS = Path(__file__).parent / "results", Path(__file__).parents[2] / "docs"
PAGE, README = DOCS / "benchmarks.md", DOCS.parent / "README.md"
COMMAND = "python -m experiments.benchmarks.families --page"


def write() -> int:
    """Put the tables into docs/benchmarks.md and the README, and the figure beside the former."""
    found = [json.loads((RESULTS / f"{name}.json").read_text()) for name in ("families", "families-all")]
    rows, wall = (each["families"] for each in found)
    insert({"table": table(rows), "all cores": all_cores(wall)}, COMMAND)
    insert({"speed": short(found[0])}, COMMAND, README)
    plots.save(figure(rows), DOCS / "benchmarks.png")
    return 0


def insert(blocks: Mapping[str, str], command: str, path: Path = PAGE) -> None:
    """Put what a command made into a page, between its marks, and print it."""
    text = path.read_text()
    for name, made in blocks.items():
        begin, end = (f"<!-- {each}: made by {command} -->" for each in (name, "end"))
        inside = re.escape(begin) + ".*?" + re.escape(end)
        between = f"{begin}\n{made}\n{end}"
        text, count = re.subn(inside, lambda _, between=between: between, text, flags=re.DOTALL)
        assert count == 1, f"{path}: {begin} is there {count} times"
        print(made)
    path.write_text(text)


def table(rows: Mapping[str, Any]) -> str:
    """Markdown: a row for every family, measured or not."""
    lines = [
        "| family | ours, examples per CPU-second | over torch, best layout (wanted) | over fused | "
        "over torch.compile | over Keras | both tuned malloc | over naive flax | "
        "our slowest form over naive flax | peak MB, ours / torch | first step, CPU-s, ours / torch |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, found in CASES.items():
        row = rows.get(name)
        if row is None:
            lines.append(f"| {found.title} | not run |" + " |" * 9)
            continue
        against, ratio = best(row)
        goals = {goal: (wanted, holds) for goal, wanted, _, holds in verdict(found, row)}
        slowest = min(row["over_naive"].values(), key=lambda x: x["ratio"])["ratio"]
        tuned = [x["ratio"] for x in row["ratios_tuned_malloc"].values()]
        ours, theirs = row["variants"]["ours"], row["variants"][against]
        spread = row["ratios"][against]
        cells = [
            found.title + _elsewhere(row),
            f"{ours['examples_per_second']:,.0f}"
            if ours["examples_per_second"] > 100
            else f"{ours['examples_per_second']}",
            f"**{ratio:.2f}** [{spread['min']:.2f}-{spread['max']:.2f}]{_goal(goals.get('eager'))}",
            f"{_ratio(row, 'torch fused')}{_goal(goals.get('fused'))}",
            _ratio(row, "torch compile"),
            _ratio(row, "keras"),
            f"{tuned[0]:.2f}" if tuned else "-",
            f"{row['over_naive']['ours']['ratio']:.2f}",
            f"{slowest:.2f}",
            f"{ours['peak_mb']} / {theirs['peak_mb']}",
            f"{ours['first_step_cpu_s']} / {theirs['first_step_cpu_s']}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def short(found: Mapping[str, Any]) -> str:
    """Markdown: the two ratios of every family that was measured, and on what."""
    ratio = "ratio of examples per CPU-second, one pinned core"
    lines = [f"| {ratio} | over eager PyTorch | over the naive flax loop |", "|---|---|---|"]
    for name, row in found["families"].items():
        over = f"{best(row)[1]:.2f} | {row['over_naive']['ours']['ratio']:.2f}"
        lines.append(f"| {CASES[name].title}{_elsewhere(row)} | {over} |")
    versions = ", ".join(f"{name} {found['versions'][name]}" for name in ("jax", "torch"))
    return "\n".join([*lines, "", f"{found['device']}; {versions}; medians."])


def all_cores(rows: Mapping[str, Any]) -> str:
    """Markdown: the wall clock on all cores, on one device and with the batch shared by two virtual ones."""
    lines = [
        "| family | ours, examples per second | over torch, best layout | on 2 virtual devices, over torch |",
        "|---|---|---|---|",
    ]
    for name, row in rows.items():
        against, ratio = best(row)
        spread, speeds = row["ratios"][against], row["variants"]
        two, ours = speeds.get("ours, 2 devices"), speeds["ours"]["examples_per_second"]
        shared = two["examples_per_second"] / speeds[against]["examples_per_second"] if two else None
        cells = [
            CASES[name].title + _elsewhere(row),
            f"{ours:,.0f}",
            f"**{ratio:.2f}** [{spread['min']:.2f}-{spread['max']:.2f}]",
            "-" if shared is None else f"{shared:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _elsewhere(row: Mapping[str, Any]) -> str:
    """Where, or with what, a row was measured, if not as the others of its table."""
    versions = [f"{name} {version}" for name, version in row.get("versions", {}).items()]
    other = [*([row["device"]] if "device" in row else []), *versions]
    return f" ({', '.join(other)})" if other else ""


def _goal(goal: tuple[float, bool] | None) -> str:
    return "" if goal is None else f" ({'' if goal[1] else '**missed** '}>= {goal[0]})"


def _ratio(row: Mapping[str, Any], name: str) -> str:
    if name in row["failed"]:
        return row["failed"][name]
    return f"{row['ratios'][name]['ratio']:.2f}" if name in row["ratios"] else "-"


def figure(rows: Mapping[str, Any]) -> Any:
    """Ours over torch's best layout and over the naive flax loop, by family, with the range of the rounds."""
    names = [name for name in CASES if name in rows][::-1]
    canvas, axes = plots.subplots(1, 1, (7.5, 0.5 * len(names) + 1.4))
    axis = axes[0, 0]
    sides = {
        "over eager PyTorch, its best layout": lambda row: row["ratios"][best(row)[0]],
        "over the naive flax loop": lambda row: row["over_naive"]["ours"],
    }
    for i, (label, find) in enumerate(sides.items()):
        found = [find(rows[name]) for name in names]
        middle = [x["ratio"] for x in found]
        ends = [[x["ratio"] - x["min"] for x in found], [x["max"] - x["ratio"] for x in found]]
        places = [y + 0.2 - 0.4 * i for y in range(len(names))]
        axis.barh(places, middle, 0.38, label=label, hatch=("", "//")[i], color=plots.nth_colour(i))
        axis.errorbar(middle, places, xerr=ends, fmt="none", ecolor="black", capsize=2, linewidth=1)
        for y, x, end in zip(places, middle, ends[1], strict=True):
            axis.text((x + end) * 1.03, y, f"{x:.2f}", va="center", fontsize=8)
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.set_xticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    axis.set_xticks([], minor=True)
    highest = max(max(find(rows[name])["max"] for find in sides.values()) for name in names)
    axis.set(xlim=(0.4, 1.5 * highest), xlabel="times the examples per CPU-second, one pinned core")
    axis.set_yticks(range(len(names)), [CASES[name].title for name in names])
    axis.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    axis.spines[["top", "right"]].set_visible(False)
    return canvas
