#!/usr/bin/env python3
"""Writes the tables of docs/benchmarks.md from the runs that compare.py kept.

    python3 tables.py           writes them
    python3 tables.py --check   fails if the page is another one

A table stands between `<!-- run FILE -->` and `<!-- end -->`, FILE being one of runs/. What is between them is replaced. `<!-- run FILE: A, B -->` has
only those workloads whose names begin with A or B.
"""
import json, math, pathlib, re, sys

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "benchmarks.md"


def number(x):
    return f"{x:.0f}" if x >= 1000 else f"{x:.1f}"


def table(found):
    run = json.loads((HERE / "runs" / found["file"]).read_text())
    begins = tuple(part.strip() for part in (found["parts"] or "").split(","))
    rows = {name: row for name, row in run["rows"].items() if name.startswith(begins)}
    ratios = [row["ratio"] for row in rows.values()]
    mean = {cap: math.exp(sum(math.log(min(ratio, cap)) for ratio in ratios) / len(ratios)) for cap in (2, 3)}
    unit = {"us": "µs", "MB": "MB"}[run["unit"]]
    lines = [found["mark"], f"{run['date']}, {run['processor']}, {run['about']}", ""]
    lines += [f"| workload | gradus, {unit} | peer, {unit} | ratio |", "|---|---|---|---|"]
    lines += [f"| {name} | {number(row['ours'])} | {number(row['peer'])} | {row['ratio']:.2f} |" for name, row in rows.items()]
    level = sum(ratio >= 1 for ratio in ratios)
    summary = f"{len(rows)} workloads, {level} level or ahead; geometric mean of the ratios {mean[2]:.2f}, each capped at 2, or {mean[3]:.2f}, at 3."
    return "\n".join([*lines, "", summary, "<!-- end -->"])


page = PAGE.read_text()
marked = r"(?P<mark><!-- run (?P<file>[\w.-]+)(: (?P<parts>[^>]*?))? -->)\n.*?<!-- end -->"
written = re.sub(marked, table, page, flags=re.DOTALL)
if "--check" not in sys.argv:
    PAGE.write_text(written)
elif written != page:
    sys.exit(f"{PAGE} has other tables than the runs: python3 {sys.argv[0]}")
