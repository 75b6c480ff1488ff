"""Tables and a drawing of what reproduce.py measured.

usage: python3 tools/protocol/report.py RESULTS.jsonl FOLDER
Writes FOLDER/tables.md and FOLDER/tradeoff.svg. A figure is the mean over the seeds that are there, +- their standard deviation (one seed: the paired standard
error of its drop, marked 1 seed); a drop is in points of accuracy, for CoLA of Matthews' coefficient times 100.
"""
import html
import json
import os
import math
import statistics
import sys

METRICS = {"cola": "mcc"}
DENSE = ["dense", "dense+", "dense++", "full"]
ALLOWED_DROP = 1.0


def source_of(row):
    """The row whose package is cut, and timed against; of a dense row the one it starts from."""
    starts = {"full": "full", "plus": "dense+", "dense++": "dense+"}
    return starts.get(row.split(" ", 1)[0], "dense")


def reference_of(row):
    """The row whose answers its own are paired with: what was cut, or that after the same epochs of every weight; of a dense row `dense`."""
    after = {"retuned ": "dense+", "plus retuned ": "dense++"}
    return "dense" if row in DENSE else next((other for start, other in after.items() if row.startswith(start)), source_of(row))


def read(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


class Results:
    def __init__(self, records, metrics):
        self.metrics = metrics
        self.by_key = {(r["task"], r["seed"], r["row"]): r for r in records}
        self.tasks = list(dict.fromkeys(r["task"] for r in records))
        self.rows = list(dict.fromkeys(r["row"] for r in records))

    def seeds(self, task, row):
        return sorted(seed for t, seed, name in self.by_key if (t, name) == (task, row))

    def metric(self, task):
        return self.metrics.get(task, "accuracy")

    def value(self, task, seed, row):
        return 100 * self.by_key[task, seed, row][self.metric(task)]

    def drop(self, task, seed, row, reference=None):
        """Points lost on test against the row of reference_of, or another that is named."""
        if reference is None and self.metric(task) == "accuracy":
            return self.by_key[task, seed, row]["drop"]
        return self.value(task, seed, reference or reference_of(row)) - self.value(task, seed, row)

    def over_seeds(self, task, row, figure):
        return [figure(task, seed, row) for seed in self.seeds(task, row)]

    def speedup(self, task, seed, row):
        return self.by_key[task, seed, row]["speedup"]

    def on_dev(self, task, seed, row):
        """Points lost on dev as `prune` believes; by labels alone in records of before it did."""
        record = self.by_key[task, seed, row]
        return record.get("dev_estimate", record["dev_drop"])

    def chosen(self, task, prefix):
        """The row of the most speed whose estimate on dev, mean of the seeds, is within ALLOWED_DROP: what a user would take, without a look at test."""
        within = [row for row in self.rows if row.startswith(prefix + " ") and self.seeds(task, row) and
                  statistics.mean(self.over_seeds(task, row, self.on_dev)) <= ALLOWED_DROP]
        return max(within, key=lambda row: statistics.mean(self.over_seeds(task, row, self.speedup)), default=None)


def spread(values, digits=1):
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.{digits}f} (1 seed)"
    return f"{statistics.mean(values):.{digits}f} +- {statistics.stdev(values):.{digits}f}"


def table(head, body):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(line) + " |" for line in body]) + "\n"


# ---------------------------------------------------------------- tables
def dense_table(found):
    body = [[task] + [spread(found.over_seeds(task, row, found.value)) for row in ("dense", "dense+", "dense++", "full")] for task in found.tasks]
    return "Test accuracy (CoLA: Matthews x 100).\n\n" + table(["task", "dense prefix", "after 3 epochs of every weight", "after 6", "whole fine-tuning"], body)


def drop_table(found, title, rows):
    rows = [row for row in rows if row in found.rows]
    if not rows:
        return ""
    body = []
    for task in found.tasks:
        cells = []
        for row in rows:
            drops = found.over_seeds(task, row, found.drop)
            cells.append(f"{spread(drops)}, {statistics.mean(found.over_seeds(task, row, found.speedup)):.2f}x" if drops else "-")
        if any(cell != "-" for cell in cells):
            body.append([task] + cells)
    return f"{title}\n\n" + table(["task"] + rows, body)


def goal_table(found):
    body = []
    for task in found.tasks:
        cells = []
        for prefix in ("kl", "plus", "full"):
            row = found.chosen(task, prefix)
            if row is None:
                cells += ["none", "-"]
                continue
            cells += [f"{row}: {statistics.mean(found.over_seeds(task, row, found.speedup)):.2f}x", spread(found.over_seeds(task, row, found.drop))]
        body.append([task] + cells)
    return ("The fastest row whose estimate on dev, mean of the seeds, is at most 1 point, and what it loses on test.\n\n" +
            table(["task", "frozen: speed-up", "drop", "cut from dense+, re-tuned: speed-up", "drop", "cut from whole fine-tuning: speed-up", "drop"], body))


def full_table(found):
    """Rows cut from `dense+` and tuned again against whole fine-tuning, as the field compares; paired where accuracy is the metric."""
    lost = lambda t, s, r: found.by_key[t, s, r]["full_drop"] if found.metric(t) == "accuracy" else found.drop(t, s, r, "full")
    body = []
    for task in found.tasks:
        for row in (row for row in found.rows if row.startswith("plus retuned")):
            seeds = [seed for seed in found.seeds(task, row) if "full_drop" in found.by_key[task, seed, row]]
            if seeds:
                over = lambda figure: [figure(task, seed, row) for seed in seeds]
                body.append([task, row, ", ".join(map(str, seeds)), spread(over(lambda t, s, r: found.value(t, s, "full"))), spread(over(found.speedup), 2), spread(over(found.drop)), spread(over(lost))])
    return "Kept weights tuned again, against `dense++` and against whole fine-tuning.\n\n" + table(
        ["task", "row", "seeds", "whole fine-tuning", "speed-up", "lost against `dense++`", "lost against whole fine-tuning"], body) if body else ""


def cheap_table(found):
    rows = [row for row in found.rows if row.startswith("scores")]
    if not rows:
        return ""
    body = []
    for row in rows:
        cells = [row.removeprefix("scores ")]
        for task in found.tasks:
            agreed = found.over_seeds(task, row, lambda t, s, r: found.by_key[t, s, r]["spearman"]["mean"])
            cells.append(f"{statistics.mean(agreed):.3f}, {spread(found.over_seeds(task, row, found.drop))}" if agreed else "-")
        body.append(cells)
    return ("Fewer and cheaper samples to score from, `fisher`, `kl` at 2.0x: mean rank correlation with the scores of 2,048 labelled samples, drop on test.\n\n" +
            table(["samples, labels or choice"] + found.tasks, body))


def foretold_table(found):
    """What dev says of a drop, by labels, by probabilities and by both, against the drop on test of the same network."""
    records = [r for r in found.by_key.values() if r["row"].split()[0] in ("kl", "uniform", "margin") and "dev_expected" in r]
    if not records:
        return ""
    body = []
    for name, key in (("labels", "dev_drop"), ("probabilities", "dev_expected"), ("both", "dev_estimate")):
        off = [r[key] - r["drop"] for r in records]
        body.append([name, f"{math.sqrt(statistics.mean(x * x for x in off)):.2f}", f"{statistics.mean(off):.2f}"])
    noise = math.sqrt(statistics.mean(r["drop_se"] ** 2 for r in records))
    return (f"Accuracy lost on test, foretold on dev, {len(records)} frozen networks (the drop on test itself has a standard error of {noise:.2f}).\n\n" +
            table(["dev, by", "root mean square of what it is off by", "mean"], body))


def seconds_table(found):
    rows = [row for row in found.rows if row.split()[0] in ("dense", "dense+", "dense++", "full", "kl", "retuned", "plus", "uniform")]
    body = [[task] + [f"{statistics.mean(x):.0f}" if (x := found.over_seeds(task, row, lambda t, s, r: found.by_key[t, s, r]["seconds"])) else "-" for row in rows] for task in found.tasks]
    return "Seconds of the verb, all stages.\n\n" + table(["task"] + rows, body)


def tables(found):
    starting = lambda prefix: [row for row in found.rows if row.startswith(prefix)]
    parts = [dense_table(found), goal_table(found), drop_table(found, "Frozen backbone: drop on test and measured speed-up.", starting("kl") + starting("uniform")),
             drop_table(found, "Kept weights re-tuned: drop against the dense model after the same epochs.", starting("retuned")),
             drop_table(found, "Cut from `dense+`: drop against it, of re-tuned rows against `dense++`; speed-up against it.", starting("plus ")), full_table(found),
             drop_table(found, "Cut from the wholly fine-tuned model, drop and speed-up against it.", starting("full ")),
             drop_table(found, "51.8 % of the encoder at one rate, criterion `skip`: the paper's recipe, and its consumers refitted.", starting("paper")),
             drop_table(found, "Criteria at 51.8 %, with `ls`.", starting("criterion")), drop_table(found, "Criteria at 51.8 %, without compensation.", starting("bare")), foretold_table(found),
             drop_table(found, "26 % of the encoder from one kind of part, `fisher` and `ls`.", ["ffn only", "attention only"]), cheap_table(found), seconds_table(found)]
    return "\n".join(filter(None, parts))


# ---------------------------------------------------------------- the drawing
PANEL_W, PANEL_H, PAD, COLUMNS, MOST = 250, 190, 52, 4, 6.0
SERIES = {"kl": ("#3b6fb6", "frozen, kl + ls"), "retuned": ("#3f9b57", "kept weights re-tuned"), "plus": ("#1f6b5a", "cut from dense+, re-tuned"), "full": ("#b03a48", "cut from full fine-tuning, re-tuned"), "uniform": ("#e08a1e", "uniform + ls"), "paper ls": ("#8a5fb0", "51.8 %, skip + ls")}


def panel(found, task, left, top):
    highest = max([found.speedup(t, s, r) for t, s, r in found.by_key if t == task and "speedup" in found.by_key[t, s, r]], default=3) * 1.05
    x_of = lambda speedup: left + PANEL_W * (speedup - 1) / max(highest - 1, 1)
    y_of = lambda drop: top + PANEL_H * (min(max(drop, -1), MOST) + 1) / (MOST + 1)
    out = [f'<text x="{left}" y="{top - 8}" class="title">{html.escape(task)}</text>']
    for drop in range(-1, int(MOST) + 1):
        kind = "zero" if drop == 0 else "goal" if drop == 1 else "grid"
        out += [f'<line x1="{left}" x2="{left + PANEL_W}" y1="{y_of(drop):.1f}" y2="{y_of(drop):.1f}" class="{kind}"/>',
                f'<text x="{left - 6}" y="{y_of(drop) + 4:.1f}" text-anchor="end">{drop}</text>']
    for tick in range(1, int(highest) + 1):
        out.append(f'<text x="{x_of(tick):.1f}" y="{top + PANEL_H + 15}" text-anchor="middle">{tick}x</text>')
    for prefix, (colour, _) in SERIES.items():
        points = []
        for row in (r for r in found.rows if r.startswith(prefix) and any("speedup" in found.by_key[task, s, r] for s in found.seeds(task, r))):
            drops, speeds = found.over_seeds(task, row, found.drop), found.over_seeds(task, row, found.speedup)
            error = statistics.stdev(drops) if len(drops) > 1 else found.by_key[task, found.seeds(task, row)[0], row]["drop_se"]
            points.append((statistics.mean(speeds), statistics.mean(drops), error))
        points.sort()
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y, _ in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        for x, y, error in points:
            out += [f'<line x1="{x_of(x):.1f}" x2="{x_of(x):.1f}" y1="{y_of(y - error):.1f}" y2="{y_of(y + error):.1f}" stroke="{colour}"/>',
                    f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{colour}"/>']
    return out


def drawing(found):
    lines = (len(found.tasks) + COLUMNS - 1) // COLUMNS
    width, height = COLUMNS * (PANEL_W + PAD) + 20, lines * (PANEL_H + 60) + 60
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
           '<style>.title{font-size:13px;font-weight:bold}.grid{stroke:#e4e4e4}.zero{stroke:#888}.goal{stroke:#c33;stroke-dasharray:4 3}</style>',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{PAD}" y="20">points lost on test (down is worse; dashed: 1 point) against measured speed-up on real text</text>']
    x = PAD
    for colour, label in SERIES.values():
        out.append(f'<circle cx="{x}" cy="36" r="4" fill="{colour}"/><text x="{x + 8}" y="40">{label}</text>')
        x += 190
    for i, task in enumerate(found.tasks):
        out += panel(found, task, PAD + i % COLUMNS * (PANEL_W + PAD), 74 + i // COLUMNS * (PANEL_H + 60))
    return "\n".join(out + ["</svg>\n"])


def write(records, metrics, folder):
    found = Results(records, metrics)
    if not found.tasks:
        return
    for name, text in (("tables.md", tables(found)), ("tradeoff.svg", drawing(found))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    write(read(sys.argv[1]), METRICS, sys.argv[2])
