"""Compares `skip encode` with a float64 run of the same checkpoint in transformers, and PyTorch's own float32 with the same truth.

usage: venv/bin/python tools/peers/check_encode.py SKIP MODEL DATA [DATA ...] [--rows 200] [--threads 2]
Rows are taken evenly from all files (mixed lengths). Prints, for hidden states and mean embeddings, max |error| over the RMS of the truth.
"""
import argparse
import json
import os
import subprocess
import tempfile

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import AutoModel


def rows_of(paths, count):
    """Evenly spaced rows of every file as JSON Lines objects with text and text_pair."""
    rows = []
    for path in paths:
        lines = open(path, encoding="utf-8").read().split("\n")
        columns = lines[0].split("\t")
        body = [line.split("\t") for line in lines[1:] if line]
        for i in np.linspace(0, len(body) - 1, count // len(paths)).astype(int):
            row = {"text": body[i][0]}
            if columns[1] == "sentence2":
                row["text_pair"] = body[i][1]
            rows.append(row)
    return rows


def truth(model_path, ids, types, dtype):
    model = AutoModel.from_pretrained(model_path, attn_implementation="eager", dtype=dtype).eval()
    out = []
    with torch.no_grad():
        for row, kind in zip(ids, types):
            hidden = model(input_ids=torch.tensor([row]), token_type_ids=torch.tensor([kind]), attention_mask=torch.ones(1, len(row), dtype=torch.long))
            out.append(hidden.last_hidden_state[0].double().numpy())
    return out


def report(name, got, want):
    rms = float(np.sqrt(np.mean(want ** 2)))
    worst = float(np.max(np.abs(got - want)))
    print(f"{name:28s} max abs error {worst:.3e}  of the RMS {worst / rms:.3e}")
    return worst / rms


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("skip")
    parser.add_argument("model")
    parser.add_argument("data", nargs="+")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "rows.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            for row in rows_of(args.data, args.rows):
                f.write(json.dumps(row) + "\n")
        run = lambda *words: subprocess.run([args.skip, *words, "--quiet"], check=True, capture_output=True, text=True).stdout
        tokens = [json.loads(line) for line in run("tokenize", args.model, path).splitlines()]
        ids, types = [t["ids"] for t in tokens], [t["type_ids"] for t in tokens]
        run("encode", args.model, path, "--pool", "none", "-o", os.path.join(work, "hidden.safetensors"))
        run("encode", args.model, path, "--pool", "mean", "-o", os.path.join(work, "mean.safetensors"))
        hidden = load_file(os.path.join(work, "hidden.safetensors"))["hidden"].astype(np.float64)
        mean = load_file(os.path.join(work, "mean.safetensors"))["embedding"].astype(np.float64)
    double, single = truth(args.model, ids, types, torch.float64), truth(args.model, ids, types, torch.float32)
    want_hidden, want_mean = np.concatenate(double), np.stack([h.mean(0) for h in double])
    print(f"{len(ids)} rows, {len(want_hidden)} tokens, lengths {min(map(len, ids))} to {max(map(len, ids))}")
    report("skip hidden states", hidden, want_hidden)
    report("skip mean embeddings", mean, want_mean)
    report("PyTorch f32 hidden states", np.concatenate(single), want_hidden)
    report("PyTorch f32 mean embeddings", np.stack([h.mean(0) for h in single]), want_mean)


main()
