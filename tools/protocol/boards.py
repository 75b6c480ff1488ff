"""Estimated latency of a dense and of pruned models on every FPGA board: a table and a drawing.

usage: python3 tools/protocol/boards.py SKIP OUT DENSE PRUNED... [--dtype int8] [--length 64]

A column is a model. One that was cut to any shapes has further columns in which its layers are padded to share k = 3, 2, 1 (`estimate --classes`), because a board builds an engine
per shape; one that was cut to k shapes (`prune --classes`, by its metrics.json) stands as it is.
Figures are formulas (`skip estimate --all --fit`): microseconds of one sequence; "-" is a model that does not fit.
"""
import argparse
import html
import json
import os
import subprocess

CLASSES = [0, 3, 2, 1]  # 0: free


def estimate(skip, model, classes, options):
    """{board: microseconds, None where it does not fit}."""
    more = ["--classes", str(classes)] if classes else []
    done = subprocess.run([skip, "estimate", model, "--all", "--fit", "--dtype", options.dtype, "--length", options.length, "--json", *more], capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(done.stderr)
    return {b["board"]: b["latency_us"] if b.get("fits") else None for b in json.loads(done.stdout)["boards"]}


def paddings(model):
    """The numbers of shapes a model is looked at in: as it is alone, where that is what its cut was limited to."""
    with open(os.path.join(model, "metrics.json"), encoding="utf-8") as file:
        return [0] if "asked" in json.load(file).get("shapes", {}) else CLASSES


def name_of(path):
    return os.path.basename(path.rstrip("/")).removesuffix(".skip")


def table(columns):
    boards = list(next(iter(columns.values())))
    lines = ["| board | " + " | ".join(columns) + " |", "|" + "---|" * (len(columns) + 1)]
    for board in boards:
        cells = [column.get(board) for column in columns.values()]
        if any(cells):
            lines.append(f"| {board} | " + " | ".join(f"{cell:,.0f}" if cell else "-" for cell in cells) + " |")
    none = [board for board in boards if not any(column.get(board) for column in columns.values())]
    return "\n".join(lines) + "\n" + (f"\nNothing fits: {', '.join(none)}.\n" if none else "")


# ---------------------------------------------------------------- the drawing
LEFT, TOP, BAR, GAP, WIDTH, MOST = 120, 60, 9, 12, 560, 3.0
PALETTE = ["#3b6fb6", "#e08a1e", "#f0b878", "#3f9b57", "#9fd0ab", "#8a5fb0", "#c4aed8", "#c33", "#e99"]


def drawing(columns, dense):
    """Speed of every column against the dense one, a group of bars per board that holds it."""
    boards = [board for board, us in columns[dense].items() if us]
    shown = [name for name in columns if name != dense]
    height = TOP + len(boards) * (len(shown) * BAR + GAP) + 30
    x_of = lambda speedup: LEFT + WIDTH * min(speedup, MOST) / MOST
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{height}" font-family="sans-serif" font-size="11">',
           f'<rect width="100%" height="100%" fill="white"/><text x="{LEFT}" y="18">estimated speed against the dense model (formulas, no board)</text>']
    for i, name in enumerate(shown):
        out.append(f'<rect x="{LEFT + i % 4 * 160}" y="{26 + i // 4 * 14}" width="9" height="9" fill="{PALETTE[i % len(PALETTE)]}"/>'
                   f'<text x="{LEFT + 13 + i % 4 * 160}" y="{34 + i // 4 * 14}">{html.escape(name)}</text>')
    for tick in (0, 1, 2, 3):
        out.append(f'<line x1="{x_of(tick):.0f}" x2="{x_of(tick):.0f}" y1="{TOP}" y2="{height - 24}" stroke="{"#888" if tick == 1 else "#ddd"}"/>'
                   f'<text x="{x_of(tick):.0f}" y="{height - 10}" text-anchor="middle">{tick}x</text>')
    y = TOP + GAP / 2
    for board in boards:
        out.append(f'<text x="{LEFT - 6}" y="{y + len(shown) * BAR / 2 + 4:.0f}" text-anchor="end">{html.escape(board)}</text>')
        for i, name in enumerate(shown):
            if us := columns[name].get(board):
                out.append(f'<rect x="{LEFT}" y="{y:.0f}" width="{x_of(columns[dense][board] / us) - LEFT:.1f}" height="{BAR - 1}" fill="{PALETTE[i % len(PALETTE)]}"/>')
            y += BAR
        y += GAP
    return "\n".join(out + ["</svg>\n"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name in ("skip", "out", "dense"):
        parser.add_argument(name)
    parser.add_argument("pruned", nargs="+")
    parser.add_argument("--dtype", default="int8")
    parser.add_argument("--length", default="64")
    options = parser.parse_args()
    dense = name_of(options.dense)
    columns = {dense: estimate(options.skip, options.dense, 0, options)}
    for model in options.pruned:
        for k in paddings(model):
            columns[name_of(model) + (f", padded to {k}" if k else "")] = estimate(options.skip, model, k, options)
    os.makedirs(options.out, exist_ok=True)
    for name, text in (("boards.md", table(columns)), ("boards.svg", drawing(columns, dense))):
        with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
            file.write(text)
    print(table(columns), end="")


if __name__ == "__main__":
    main()
