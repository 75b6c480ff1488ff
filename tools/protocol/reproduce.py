"""The evaluation protocol, resumable: for each task and seed a dense prefix model, then every row derived from it, judged on rows that chose nothing.

usage: python3 tools/protocol/reproduce.py SKIP MODEL DATA WORK [--tasks LIST] [--seeds 0,1,2] [--rows LIST] [--report]

WORK/results.jsonl gets one record per (task, seed, row), with the command that made it; a record that is there is not made again, and what a row needs is made
first. WORK/<task>/ holds the data as split, WORK/<task>/<seed>/ the packages. --report only writes the tables and the drawing (report.py).

Splits: rates are chosen on dev and reported on test. Where no test labels are public (CoLA, RTE) a tenth of train, dealt by a hash of the text, takes dev's
place, and the official dev rows are the test.

Rows: a name of ROWS below. `dense` is the prefix model that drops are taken against; rows whose weights were tuned again are compared with `dense+`, the dense
model after the same epochs of the same kind. Rows whose name starts with `full` cut the wholly fine-tuned model instead, those with `plus` `dense+`; they are compared with what they cut,
in drop and speed, but `plus retuned` rows with `dense++`, which is `dense+` after as many epochs again as they have had,
and, where `full` is there by then, with that too.
Rows that allocate share the scores of their criterion and the time table of the model they cut; the first of them pays for the table, `skip attribute` for the scores.
--rejudge takes all figures on test again: speed-ups where they were made on a busy machine, drops where a reference has changed.
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

import report
import scores

# epochs of the prefix model and of whole fine-tuning; metric: what accuracy means there
TASKS = {
    "sst2_sentences": dict(epochs=10, full=3, metric="accuracy"),
    "trec": dict(epochs=20, full=5, metric="accuracy"),
    "subj": dict(epochs=4, full=3, metric="accuracy"),
    "agnews": dict(epochs=6, full=3, metric="accuracy"),
    "cola": dict(epochs=10, full=4, metric="mcc"),
    "mrpc": dict(epochs=10, full=5, metric="accuracy"),
    "rte": dict(epochs=10, full=5, metric="accuracy"),
}
TIMED = 2000  # most test rows that a speed-up is measured on
RETUNED = 3  # epochs of `--retune`, and of the dense model beside it
PAPER_RATE = "0.518"  # share of the encoder that the paper removes


def at_rate(criterion, compensate, rate=PAPER_RATE, allocate="uniform", *more):
    return ["--rate", rate, "--criterion", criterion, "--allocate", allocate, "--compensate", compensate, *more]


def at_speed(speedup, *more, criterion="kfac"):
    return ["--speedup", str(speedup), "--criterion", criterion, *more]


FEW = [8, 32, 128]  # samples of cheap scores; ALL is what they are compared with
ALL = 2048
CHEAP = {"gold": [], "pred": ["--labels", "pred"], "none": ["--labels", "none", "--target", "kl"], "entropy": ["--choose", "entropy"], "margin": ["--choose", "margin"],
         "kcenter": ["--choose", "kcenter"], "mix": ["--choose", "mix"]}
CRITERIA = ["skip", "taylor", "fisher", "taylor+fisher", "ig", "magnitude", "actvar", "obs", "kfac", "shapley", "random"]
SPEEDUPS = [1.2, 1.5, 2.0, 2.5, 3.0]
SEARCHES = ["binary", "adaptive", "surrogate"]
RETUNED_SPEEDUPS = [2.5, 3.0, 4.0, 5.0]
RETUNE = ["--retune", str(RETUNED), "--retune-weights"]

# row: options of `skip prune` on the dense package
ROWS = {
    "paper": at_rate("skip", "none"),
    "paper bias": at_rate("skip", "bias"),
    "paper ls": at_rate("skip", "ls"),
    **{f"criterion {name}": at_rate(name, "ls") for name in CRITERIA if name != "skip"},
    **{f"bare {name}": at_rate(name, "none") for name in CRITERIA if name != "skip"},
    **{f"margin {name}": ["--margin", "1", "--search", name, "--criterion", "kfac", "--allocate", "kl"] for name in SEARCHES},
    "ffn only": at_rate("fisher", "ls", "0.26", "uniform", "--units", "ffn"),
    "attention only": at_rate("fisher", "ls", "0.26", "uniform", "--units", "v,qk"),
    f"scores {ALL} gold": at_speed(2.0, "--allocate", "kl", "--samples", str(ALL), criterion="fisher"),
    **{f"scores {n} gold": at_speed(2.0, "--allocate", "kl", "--samples", str(n), criterion="fisher") for n in FEW},
    **{f"scores 32 {how}": at_speed(2.0, "--allocate", "kl", "--samples", "32", *more, criterion="fisher") for how, more in CHEAP.items() if more},
    **{f"uniform {x}x": at_speed(x, "--allocate", "uniform") for x in (2.0, 2.5)},
    "kl 51.8 %": at_rate("kfac", "ls", allocate="kl"),
    **{f"kl {x}x": at_speed(x, "--allocate", "kl") for x in SPEEDUPS},
    **{f"retuned {x}x": at_speed(x, "--allocate", "kl", *RETUNE) for x in RETUNED_SPEEDUPS},
    **{f"full kl {x}x": at_speed(x, "--allocate", "kl") for x in SPEEDUPS},
    **{f"full retuned {x}x": at_speed(x, "--allocate", "kl", *RETUNE) for x in RETUNED_SPEEDUPS},
    **{f"plus kl {x}x": at_speed(x, "--allocate", "kl") for x in SPEEDUPS},
    **{f"plus retuned {x}x": at_speed(x, "--allocate", "kl", *RETUNE) for x in RETUNED_SPEEDUPS},
}


def shared_scores(row):
    """The criterion whose scores are made once for all rows of the model it cuts; None where scoring is part of what the row shows."""
    options = ROWS[row]
    criterion = options[options.index("--criterion") + 1]
    return criterion if criterion == "kfac" and not row.startswith(("scores", "criterion", "bare")) else None


def needed_by(row):
    """Rows that have to be there first."""
    if row == "dense":
        return []
    all_scores = [f"scores {ALL} gold"] if row.startswith("scores") else []
    return [other for other in dict.fromkeys(["dense", report.source_of(row), report.reference_of(row), *all_scores]) if other != row]


class Protocol:
    def __init__(self, skip, model, data, work):
        self.skip, self.model, self.data, self.work = skip, model, data, work
        self.path = os.path.join(work, "results.jsonl")
        os.makedirs(work, exist_ok=True)
        self.records = report.read(self.path)

    def known(self, task, seed, row):
        return next((r for r in self.records if (r["task"], r["seed"], r["row"]) == (task, seed, row)), None)

    def keep(self, record):
        self.records.append(record)
        with open(self.path, "a", encoding="utf-8") as file:
            print(json.dumps(record), file=file)
        print(json.dumps({k: v for k, v in record.items() if k != "command"}), flush=True)

    def run(self, arguments, allowed=(0,)):
        """The JSON of a verb, and the seconds it took; 5 is a target missed: the package is there."""
        start = time.monotonic()
        done = subprocess.run([self.skip, *arguments, "--json", "--quiet"], capture_output=True, text=True, check=False)
        if done.returncode not in allowed:
            raise RuntimeError(f"skip {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout), time.monotonic() - start, done.returncode

    # ------------------------------------------------------------ data
    def splits(self, task):
        """{train, dev, test}: paths under WORK."""
        folder, source = os.path.join(self.work, task), os.path.join(self.data, task)
        paths = {name: os.path.join(folder, name + ".tsv") for name in ("train", "dev", "test")}
        if all(os.path.exists(path) for path in paths.values()):
            return paths
        os.makedirs(folder, exist_ok=True)
        if os.path.exists(os.path.join(source, "test.tsv")):
            for name, path in paths.items():
                shutil.copy(os.path.join(source, name + ".tsv"), path)
            return paths
        shutil.copy(os.path.join(source, "dev.tsv"), paths["test"])
        with open(os.path.join(source, "train.tsv"), encoding="utf-8") as file:
            head, *rows = file.read().split("\n")
        kept, dealt = [head], [head]
        for row in filter(None, rows):
            text = row.rsplit("\t", 1)[0]
            (dealt if int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10 == 1 else kept).append(row)
        for name, some in (("train", kept), ("dev", dealt)):
            with open(paths[name], "w", encoding="utf-8") as file:
                file.write("\n".join(some) + "\n")
        return paths

    # ------------------------------------------------------------ rows
    def package(self, task, seed, row):
        return os.path.join(self.work, task, str(seed), row.replace(" ", "-") + ".skip")

    def tuning(self, task, seed, row):
        """Arguments of `skip tune` for one of report.DENSE."""
        paths, about = self.splits(task), TASKS[task]
        common = ["--train", paths["train"], "--dev", paths["dev"], "--patience", "0", "--max-length", "128", "--seed", str(seed)]
        if row == "dense":
            return ["tune", self.model, "--epochs", str(about["epochs"]), *common]
        if row == "full":
            return ["tune", self.model, "--full", "--epochs", str(about["full"]), *common]
        return ["tune", self.package(task, seed, report.source_of(row)), "--start", "keep", "--full", "--epochs", str(RETUNED), "--lr-weights", "1e-4", *common]

    def pruning(self, task, seed, row):
        paths = self.splits(task)
        options, criterion = list(ROWS[row]), shared_scores(row)
        if criterion:
            at = options.index("--criterion")
            options[at : at + 2] = ["--scores", self.scores(task, seed, report.source_of(row), criterion)]
        table = [] if "--speedup" not in options and "--margin" not in options or "uniform" in options else ["--time-table", os.path.join(self.work, task, str(seed), f"times-{report.source_of(row)}.json")]
        return ["prune", self.package(task, seed, report.source_of(row)), "--data", paths["train"], "--dev", paths["dev"], "--max-length", "128", "--seed", str(seed), *options, *table]

    def scores(self, task, seed, source, criterion):
        """The file with a criterion's scores of a dense model, made when it is not there."""
        path = os.path.join(self.work, task, str(seed), f"scores-{source}-{criterion}.safetensors")
        if not os.path.exists(path):
            train = self.splits(task)["train"]
            self.run(["attribute", self.package(task, seed, source), "--data", train, "--max-length", "128", "--seed", str(seed), "--criterion", criterion, "-o", path])
        return path

    def judge(self, task, seed, row):
        """Figures of a row's package on the test rows, against its reference where it has one."""
        test, package = self.splits(task)["test"], self.package(task, seed, row)
        if row == "dense":
            found, _, _ = self.run(["eval", package, "--data", test, "--max-length", "128"])
            return {key: found[key] for key in ("n", "accuracy", "f1", "mcc")}
        against = self.package(task, seed, report.reference_of(row))
        found, _, _ = self.run(["eval", package, "--data", test, "--max-length", "128", "--against", against])
        figures = {key: found[key] for key in ("n", "accuracy", "f1", "mcc")} | {"drop": found["paired"]["drop"], "drop_se": found["paired"]["drop_se"]}
        if row.startswith("plus retuned") and self.known(task, seed, "full"):
            found, _, _ = self.run(["eval", package, "--data", test, "--max-length", "128", "--against", self.package(task, seed, "full")])
            figures |= {"full_drop": found["paired"]["drop"], "full_drop_se": found["paired"]["drop_se"]}
        if row not in report.DENSE:
            figures["speedup"] = self.speedup(task, seed, row)
            if row.startswith("scores"):
                of = lambda name: os.path.join(self.package(task, seed, name), "scores.safetensors")
                figures["spearman"] = scores.agreement(of(f"scores {ALL} gold"), of(row))
        return figures

    def timing(self, task):
        """The test rows that are timed: all, or every so many of them, so that a round takes seconds (AG News has 7,600)."""
        test, path = self.splits(task)["test"], os.path.join(self.work, task, "timing.tsv")
        if not os.path.exists(path):
            with open(test, encoding="utf-8") as file:
                head, *rows = file.read().rstrip("\n").split("\n")
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join([head, *rows[:: -(-len(rows) // TIMED)]]) + "\n")
        return path

    def speedup(self, task, seed, row):
        """Measured on test rows in packed batches of 32."""
        package = self.package(task, seed, row)
        timed, _, _ = self.run(["bench", package, "--against", self.package(task, seed, report.source_of(row)), "--batch", "32", "--data", self.timing(task)])
        return next(r["speedup"] for r in timed["rows"] if r["model"] == package)

    def rejudge(self, tasks, seeds, rows):
        for record in [r for r in self.records if r["task"] in tasks and r["seed"] in seeds and r["row"] in rows]:
            task, seed, row = record["task"], record["seed"], record["row"]
            for needed in needed_by(row):
                self.make(task, seed, needed)
            before = record.copy()
            record |= self.judge(task, seed, row)
            print(f"{task} {seed} {row}: " + ", ".join(f"{key} {before[key]:.3f}, now {record[key]:.3f}" for key in ("speedup", "drop") if key in record), flush=True)
        with open(self.path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in self.records)

    def make(self, task, seed, row):
        if self.known(task, seed, row):
            return
        for needed in needed_by(row):
            self.make(task, seed, needed)
        package = self.package(task, seed, row)
        os.makedirs(os.path.dirname(package), exist_ok=True)
        shutil.rmtree(package, ignore_errors=True)
        arguments = (self.tuning if row in report.DENSE else self.pruning)(task, seed, row) + ["-o", package]
        made, seconds, code = self.run(arguments, allowed=(0, 5))
        record = dict(task=task, seed=seed, row=row, seconds=round(seconds, 1), missed=code == 5)
        for key in ("removed_encoder_percent", "speedup_measured", "macs_share", "passes", "score_seconds", "allocate_seconds", "compensate_seconds", "search_seconds"):
            if key in made:
                record[key] = made[key]
        if row not in report.DENSE:
            record |= {"dev_drop": made["drop"], "dev_drop_se": made["drop_se"], "dev_expected": made["paired"]["expected"], "dev_estimate": made["paired"]["estimate"]}
        self.keep(record | self.judge(task, seed, row) | {"command": "skip " + " ".join(arguments)})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name in ("skip", "model", "data", "work"):
        parser.add_argument(name)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--rows", default=",".join(report.DENSE + list(ROWS)))
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--rejudge", action="store_true")
    options = parser.parse_args()
    rows, tasks = options.rows.split(","), options.tasks.split(",")
    for name in [r for r in rows if r not in report.DENSE and r not in ROWS] + [t for t in tasks if t not in TASKS]:
        sys.exit(f"reproduce: no row or task named '{name}'. Rows: {', '.join(report.DENSE + list(ROWS))}. Tasks: {', '.join(TASKS)}.")
    protocol = Protocol(options.skip, options.model, options.data, options.work)
    if options.rejudge:
        protocol.rejudge(tasks, list(map(int, options.seeds.split(","))), rows)
    elif not options.report:
        for seed in map(int, options.seeds.split(",")):
            for task in tasks:
                for row in rows:
                    protocol.make(task, seed, row)
    report.write(protocol.records, {task: about["metric"] for task, about in TASKS.items()}, options.work)


if __name__ == "__main__":
    main()
