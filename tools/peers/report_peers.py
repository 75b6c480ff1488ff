"""Tables and a drawing of what bench_peers.py measured.

usage: python3 tools/peers/report_peers.py RESULTS.jsonl FOLDER
Writes FOLDER/tables.md, per shape the cells (median milliseconds of every engine, and how many times faster skip is than the best peer of its type) and the
text, and FOLDER/ratios.svg, those ratios as bars.
"""
import html
import json
import os
import sys

TYPES = ("f32", "bf16", "int8")
COLOURS = dict(f32="#3b6fb6", bf16="#e08a1e", int8="#3f9b57")


def peers_of(engine, engines):
    """Engines of others with the type of this one, of float32 for a smaller network; none for engines that are not skip's."""
    size, kind = engine.split("-")
    others = [name for name in engines if name.split("-")[0] not in ("skip", "small")]
    wanted = {"skip": kind, "small": "f32"}.get(size)
    return [name for name in others if name.split("-")[1] == wanted]


def rows_of(records, shape):
    """[(label of a cell or text, {engine: record})], in the order measured."""
    found = {}
    for r in records:
        if r["shape"] == shape and "median_ms" in r:
            label = r["data"] if "data" in r else f"{r['batch']} x {r['length']}"
            found.setdefault(("data" in r, label), {})[r["engine"]] = r
    return [(text, label, engines) for (text, label), engines in found.items()]


def ratio(engines, kind):
    """skip against the best peer of the type, or None."""
    peers = peers_of("skip-" + kind, engines)
    if "skip-" + kind not in engines or not peers:
        return None
    return min(engines[name]["median_ms"] for name in peers) / engines["skip-" + kind]["median_ms"]


# ---------------------------------------------------------------- tables
def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" + "---:|" * (len(head) - 1)] + ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def tables(records, shape):
    rows, out = rows_of(records, shape), [f"## {shape}\n"]
    for is_text, unit in ((False, "Median milliseconds"), (True, "Sentences a second")):
        some = [(label, engines) for text, label, engines in rows if text == is_text]
        if not some:
            continue
        names = list(some[0][1])
        kinds = [kind for kind in TYPES if ratio(some[0][1], kind)]
        figure = (lambda r: f"{r['sentences_per_second']:.0f}") if is_text else (lambda r: f"{r['median_ms']:.2f}")
        body = [[label] + [figure(engines[name]) for name in names] + [f"**{ratio(engines, kind):.2f}x**" for kind in kinds] for label, engines in some]
        out.append(f"{unit}; the last columns: skip against the best peer of the same type.\n")
        out.append(table(["text" if is_text else "batch x length"] + names + kinds, body))
    return "\n".join(out)


# ---------------------------------------------------------------- the drawing
LEFT, TOP, HEIGHT, BAR, GAP, PANEL = 56, 56, 220, 16, 22, 330


def panel(rows, shape, kinds, top, most):
    """One shape: a group of bars for each row, over a scale from 0 to `most`; gives SVG and its right end."""
    out, x = [], LEFT + GAP // 2
    y_of = lambda value: top + HEIGHT - HEIGHT * value / most
    group = BAR * len(kinds)
    right = x + len(rows) * (group + GAP)
    out.append(f'<text x="{LEFT}" y="{top - 10}" class="title">{html.escape(shape)}</text>')
    step = 1 if most <= 8 else 2
    for tick in range(0, int(most) + 1, step):
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{y_of(tick):.1f}" y2="{y_of(tick):.1f}" class="{"one" if tick == 1 else "grid"}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y_of(tick) + 4:.1f}" text-anchor="end">{tick}x</text>')
    for label, engines in rows:
        for i, kind in enumerate(kinds):
            value = ratio(engines, kind)
            if value is None:
                continue
            left = x + i * BAR
            out.append(f'<rect x="{left}" y="{y_of(value):.1f}" width="{BAR - 2}" height="{HEIGHT * value / most:.1f}" fill="{COLOURS[kind]}"/>')
            out.append(f'<text transform="translate({left + BAR - 5},{y_of(value) - 4:.1f}) rotate(-90)" class="value">{value:.2f}</text>')
        out.append(f'<text x="{x + group / 2}" y="{top + HEIGHT + 18}" text-anchor="middle">{html.escape(label)}</text>')
        x += group + GAP
    return out, right


def drawing(records, shapes):
    all_rows = {shape: [(label, engines) for _, label, engines in rows_of(records, shape)] for shape in shapes}
    values = [(kind, value) for rows in all_rows.values() for _, engines in rows for kind in TYPES if (value := ratio(engines, kind))]
    if not values:
        return None
    kinds = [kind for kind in TYPES if any(k == kind for k, _ in values)]
    most = 1.2 * max(1.0, *(value for _, value in values))  # the figures stand on the bars
    body, width = [], 560
    for i, shape in enumerate(shapes):
        lines, right = panel(all_rows[shape], shape, kinds, TOP + 30 + i * PANEL, most)
        body += lines
        width = max(width, right + 20)
    height = TOP + len(shapes) * PANEL
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
           "<style>.title{font-size:14px;font-weight:bold}.value{font-size:10px}.grid{stroke:#ddd}.one{stroke:#333;stroke-width:1.5}</style>",
           f'<rect width="{width}" height="{height}" fill="#fff"/>',
           f'<text x="{LEFT}" y="22" class="title">skip against the best peer of the same type: times as fast</text>']
    for i, kind in enumerate(kinds):
        out.append(f'<rect x="{LEFT + 80 * i}" y="34" width="12" height="12" fill="{COLOURS[kind]}"/><text x="{LEFT + 80 * i + 17}" y="44">{kind}</text>')
    return "\n".join(out + body + ["</svg>"]) + "\n"


def write(records, folder):
    os.makedirs(folder, exist_ok=True)
    shapes = list(dict.fromkeys(r["shape"] for r in records if "median_ms" in r))
    with open(os.path.join(folder, "tables.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(tables(records, shape) for shape in shapes))
    svg = drawing(records, shapes)
    if svg:
        with open(os.path.join(folder, "ratios.svg"), "w", encoding="utf-8") as f:
            f.write(svg)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write([json.loads(line) for line in open(sys.argv[1], encoding="utf-8")], sys.argv[2])
