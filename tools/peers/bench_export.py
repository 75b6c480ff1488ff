"""Packages in skip and, through `skip export`, in ONNX Runtime: median milliseconds per cell of batch x length, interleaved. Prints JSON lines.

usage: venv/bin/python tools/peers/bench_export.py SKIP PKG... [--batch 1,8,32] [--length 16,64] [--rounds 3] [--seconds 0.4] [--threads 2]
Both get full batches of random token ids, no padding. A figure is the median of the rounds' medians.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime


def sizes(text):
    return [int(part) for part in text.split(",")]


parser = argparse.ArgumentParser()
parser.add_argument("skip")
parser.add_argument("package", nargs="+")
parser.add_argument("--batch", type=sizes, default=[1, 8, 32])
parser.add_argument("--length", type=sizes, default=[16, 64])
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=0.4)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()


def skip(*words):
    return subprocess.run([args.skip, *words], stdout=subprocess.PIPE, check=True).stdout.decode()


def ours(package, batch, length):
    words = ["--batch", str(batch), "--length", str(length), "--seconds", str(args.seconds), "--threads", str(args.threads)]
    return json.loads(skip("bench", package, *words, "--json", "--quiet"))["rows"][0]["median_ms"]


def theirs(session, feed):
    times, end = [], time.perf_counter() + args.seconds
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        session.run(["logits"], feed)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


with tempfile.TemporaryDirectory() as work:
    session = {}
    for i, package in enumerate(args.package):
        path = os.path.join(work, "%d.onnx" % i)
        skip("export", package, "-o", path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        session[package] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    for batch in args.batch:
        for length in args.length:
            every = {"input_ids": random.integers(1000, 20000, (batch, length)), "attention_mask": np.ones((batch, length), np.int64),
                     "token_type_ids": np.zeros((batch, length), np.int64)}
            found = {package: ([], []) for package in args.package}
            for _ in range(args.rounds):
                for package in args.package:
                    feed = {value.name: every[value.name] for value in session[package].get_inputs()}
                    found[package][0].append(ours(package, batch, length))
                    found[package][1].append(theirs(session[package], feed))
            for package, (a, b) in found.items():
                row = {"package": package, "batch": batch, "length": length, "skip_ms": statistics.median(a), "ort_ms": statistics.median(b)}
                row["ratio"] = row["ort_ms"] / row["skip_ms"]
                print(json.dumps({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}), flush=True)
