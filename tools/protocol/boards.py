"""Estimated latency and resources of a dense and of pruned models on every FPGA board: tables and a drawing.

usage: python3 tools/protocol/boards.py SKIP OUT DENSE PRUNED... [--dtype int8] [--length 64]

A column is a model. One that was cut to any shapes has further columns in which its layers are padded to share k = 3, 2, 1 (`estimate --classes`), because a board builds an engine
per shape; one that was cut to k shapes (`prune --classes`, by its metrics.json) stands as it is.
Figures are formulas (`skip estimate --all --fit`): microseconds of one sequence; "-" is a model that does not fit. Lanes and resources are those of the
dense model and of the last pruned one. Every estimate that says it fits is held to the board's resources, in each unit, and every number behind it to a status: an error else.
"""
import argparse
import html
import json
import os
import subprocess
import time

CLASSES = [0, 3, 2, 1]  # 0: free


def check(board):
    """An estimate that fits needs no more of any unit than there is for it, and each number behind it has a status."""
    for unit, count in board["resources"].items():
        if board["fits"] and count["used"] > count["available"]:
            raise RuntimeError(f"{board['board']}: {count['used']:.0f} {unit} of {count['available']:.0f} and said to fit")
    statuses = {number["status"] for number in board["inputs"]}
    if not statuses or statuses - {"verified", "unverified"} or board["status"] != max(statuses, key=["verified", "unverified"].index):
        raise RuntimeError(f"{board['board']}: status {board['status']} from numbers that are {sorted(statuses)}")


def estimate(skip, model, classes, options):
    """{board: its estimate}, and the seconds that took."""
    more = ["--classes", str(classes)] if classes else []
    start = time.monotonic()
    done = subprocess.run([skip, "estimate", model, "--all", "--fit", "--dtype", options.dtype, "--length", options.length, "--json", *more], capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    if not done.stdout:
        raise RuntimeError(done.stderr)
    boards = json.loads(done.stdout)["boards"]
    for board in boards:
        if "resources" in board:  # else refused: no engine for an op or a type
            check(board)
    return {board["board"]: board for board in boards}, seconds


def paddings(model):
    """The numbers of shapes a model is looked at in: as it is alone, where that is what its cut was limited to."""
    with open(os.path.join(model, "metrics.json"), encoding="utf-8") as file:
        return [0] if "asked" in json.load(file).get("shapes", {}) else CLASSES


def name_of(path):
    return os.path.basename(path.rstrip("/")).removesuffix(".skip")


def latency_of(column, board):
    """Microseconds, None where the model does not fit."""
    found = column.get(board, {})
    return found["latency_us"] if found.get("fits") else None


def ruled(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def table(columns):
    boards = list(next(iter(columns.values())))
    rows, none = [], []
    for board in boards:
        cells = [latency_of(column, board) for column in columns.values()]
        if any(cells):
            rows.append([board, *(f"{cell:,.0f}" if cell else "-" for cell in cells)])
        else:
            none.append(board)
    return ruled(["board", *columns], rows) + (f"\nNothing fits: {', '.join(none)}.\n" if none else "")


CELLS = ["rows x outputs, lanes", "DSP", "ALM or LUT", "memory", "MHz", "bound"]


def cells_of(board):
    """The form that was chosen and what it takes: logic is ALMs or LUTs, memory M20K or BRAM."""
    if not board.get("fits"):
        return ["-"] * len(CELLS)
    units = board["resources"]
    unit = lambda *names: next(units[name] for name in names if name in units)
    counted = lambda count: f"{count['used']:,.0f} ({100 * count['share']:.0f} %)"
    lanes = sum(kernel["lanes"]["int8"] + kernel["lanes"]["f32"] for kernel in board["kernels"])
    return [f"{board['form']['rows']} x {board['form']['outputs']}, {lanes:,}", counted(unit("dsp")), counted(unit("alm", "lut")),
            counted(unit("m20k", "bram18", "bram36")), f"{board['clock_mhz']:.0f}", board["bound"]]


def resources(columns, names):
    """Lanes, shares of what may be used, clock and bound of some models."""
    head = ["board"] + [f"{name}: {what}" if what == CELLS[0] else what for name in names for what in CELLS]
    boards = [board for board in next(iter(columns.values())) if any(latency_of(columns[name], board) for name in names)]
    return ruled(head, [[board] + [cell for name in names for cell in cells_of(columns[name][board])] for board in boards])


def times(columns, seconds):
    """How long the estimates of all boards took, and what they rest on."""
    rows = []
    for name, column in columns.items():
        numbers = [number["status"] for board in column.values() for number in board.get("inputs", [])]
        rows.append([name, str(sum(bool(latency_of(column, board)) for board in column)), f"{seconds[name]:.2f}", f"{numbers.count('verified')} of {len(numbers)}"])
    return ruled(["model", "boards that hold it", "seconds for all boards", "numbers of board files that are verified"], rows)


# ---------------------------------------------------------------- the drawing
LEFT, TOP, BAR, GAP, WIDTH, MOST = 120, 60, 9, 12, 560, 3.0
PALETTE = ["#3b6fb6", "#e08a1e", "#f0b878", "#3f9b57", "#9fd0ab", "#8a5fb0", "#c4aed8", "#c33", "#e99"]


def drawing(columns, dense):
    """Speed of every column against the dense one, a group of bars per board that holds it."""
    boards = [board for board in columns[dense] if latency_of(columns[dense], board)]
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
            if us := latency_of(columns[name], board):
                out.append(f'<rect x="{LEFT}" y="{y:.0f}" width="{x_of(latency_of(columns[dense], board) / us) - LEFT:.1f}" height="{BAR - 1}" fill="{PALETTE[i % len(PALETTE)]}"/>')
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
    columns, seconds = {}, {}
    columns[dense], seconds[dense] = estimate(options.skip, options.dense, 0, options)
    for model in options.pruned:
        for k in paddings(model):
            name = name_of(model) + (f", padded to {k}" if k else "")
            columns[name], seconds[name] = estimate(options.skip, model, k, options)
    text = "\n".join([table(columns), resources(columns, [dense, name_of(options.pruned[-1])]), times(columns, seconds)])
    os.makedirs(options.out, exist_ok=True)
    for name, content in (("boards.md", text), ("boards.svg", drawing(columns, dense))):
        with open(os.path.join(options.out, name), "w", encoding="utf-8") as file:
            file.write(content)
    print(text, end="")


if __name__ == "__main__":
    main()
