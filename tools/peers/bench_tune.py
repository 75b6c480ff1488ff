"""Steps per second of prompt tuning, PyTorch against `skip tune`, interleaved on the same rows, batch size and threads.

usage: venv/bin/python tools/peers/bench_tune.py SKIP MODEL TRAIN.tsv DEV.tsv [--rounds 5] [--epochs 1] [--rows 1024] [--prefix 20] [--threads 2] [--train-dtype auto] [--full]
PyTorch: deep K/V prefix in front of every layer's keys and values, scaled_dot_product_attention, batches of near-equal length padded to the longest,
frozen encoder (no weight gradients), AdamW on prefix and head, gradient clipping. --full: every weight of the layers too, no prefix, on both sides. Only training steps are timed, on both sides, after one step on
the longest rows that is not.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


class Encoder:
    def __init__(self, folder):
        self.config = json.load(open(os.path.join(folder, "config.json")))
        raw = load_file(os.path.join(folder, "model.safetensors"))
        self.w = {name.removeprefix("bert."): tensor.float() for name, tensor in raw.items() if tensor.is_floating_point()}
        self.heads = self.config["num_attention_heads"]

    def trained(self, full):
        return [tensor.requires_grad_() for name, tensor in self.w.items() if name.startswith("encoder.layer.")] if full else []

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.config["layer_norm_eps"])

    def hidden(self, ids, mask, prefix):
        emb = "embeddings."
        x = self.w[emb + "word_embeddings.weight"][ids] + self.w[emb + "position_embeddings.weight"][: ids.shape[1]] + self.w[emb + "token_type_embeddings.weight"][0]
        x = self.norm(emb + "LayerNorm", x)
        batch, length, width = x.shape
        split = lambda t: t.view(batch, -1, self.heads, width // self.heads).transpose(1, 2)
        bias = torch.cat([mask.new_zeros(batch, prefix.shape[2]), (1 - mask) * -1e9], 1)[:, None, None, :]
        for i in range(self.config["num_hidden_layers"]):
            name = f"encoder.layer.{i}."
            q, k, v = (self.linear(name + "attention.self." + part, x) for part in ("query", "key", "value"))
            k, v = (torch.cat([prefix[i, j].expand(batch, -1, -1), t], 1) for j, t in enumerate((k, v)))
            context = F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=bias).transpose(1, 2).reshape(batch, length, width)
            x = self.norm(name + "attention.output.LayerNorm", x + self.linear(name + "attention.output.dense", context))
            inner = F.gelu(self.linear(name + "intermediate.dense", x))
            x = self.norm(name + "output.LayerNorm", x + self.linear(name + "output.dense", inner))
        return x


def torch_round(encoder, rows, labels, classes, args, seed):
    torch.manual_seed(seed)
    width, layers = encoder.config["hidden_size"], encoder.config["num_hidden_layers"]
    prefix = (torch.randn(layers, 2, args.prefix, width) * 0.02).requires_grad_()
    head_w, head_b = (torch.randn(classes, width) * 0.02).requires_grad_(), torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.AdamW([dict(params=[prefix], lr=7e-3, weight_decay=0.0), dict(params=[head_w], lr=1e-3, weight_decay=0.01),
                                   dict(params=[head_b], lr=1e-3, weight_decay=0.0), dict(params=encoder.trained(args.full), lr=5e-5, weight_decay=0.01)], foreach=True)
    order = torch.randperm(len(rows)).tolist()
    batches = []
    for start in range(0, len(order), args.batch * 24):
        chunk = sorted(order[start:start + args.batch * 24], key=lambda i: len(rows[i]))
        batches += [chunk[i:i + args.batch] for i in range(0, len(chunk), args.batch)]
    def step(chunk):
        longest = max(len(rows[i]) for i in chunk)
        ids, mask = torch.zeros(len(chunk), longest, dtype=torch.long), torch.zeros(len(chunk), longest)
        for r, i in enumerate(chunk):
            ids[r, : len(rows[i])] = torch.tensor(rows[i])
            mask[r, : len(rows[i])] = 1
        hidden = encoder.hidden(ids, mask, prefix)
        pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        loss = F.cross_entropy(F.linear(F.dropout(pooled, 0.1), head_w, head_b), torch.tensor([labels[i] for i in chunk]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([prefix, head_w, head_b, *encoder.trained(args.full)], 1.0)
        optimizer.step()

    step(sorted(order, key=lambda i: len(rows[i]))[-args.batch:])
    begin = time.perf_counter()
    for chunk in batches:
        step(chunk)
    return len(batches) / (time.perf_counter() - begin)


def main():
    parser = argparse.ArgumentParser()
    for name in ("skip", "model", "train", "dev"):
        parser.add_argument(name)
    for name, default in (("rounds", 5), ("epochs", 1), ("rows", 1024), ("prefix", 20), ("batch", 32), ("threads", 2)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--train-dtype", default="auto", help="of skip's steps; PyTorch's are in float32")
    parser.add_argument("--full", action="store_true", help="fine-tune the layers, without a prefix")
    args = parser.parse_args()
    if args.full:
        args.prefix = 0
    torch.set_num_threads(args.threads)
    lines = open(args.train, encoding="utf-8").read().split("\n")
    lines = [lines[0]] + [line for line in lines[1:] if line][: args.rows]
    with tempfile.TemporaryDirectory() as work:
        train = os.path.join(work, "train.tsv")
        open(train, "w", encoding="utf-8").write("\n".join(lines) + "\n")
        run = lambda *words: subprocess.run([args.skip, *words, "--quiet"], check=True, capture_output=True, text=True).stdout
        rows = [json.loads(line)["ids"] for line in run("tokenize", args.model, train).splitlines()]
        names = [line.split("\t")[-1] for line in lines[1:]]
        index = {name: i for i, name in enumerate(sorted(set(names)))}
        labels = [index[name] for name in names]
        encoder = Encoder(args.model)
        ours, theirs = [], []
        for seed in range(args.rounds):
            theirs.append(torch_round(encoder, rows, labels, len(index), args, seed))
            result = json.loads(run("tune", args.model, "--train", train, "--dev", args.dev, "--epochs", str(args.epochs), "--prefix", str(args.prefix), "--batch",
                                    str(args.batch), "--start", "random", *(["--full"] if args.full else []), "--train-dtype", args.train_dtype, "--seed", str(seed), "--json", "-o", os.path.join(work, "out.skip")))
            ours.append(result["steps_per_second"])
            print(f"round {seed}: skip {ours[-1]:.2f} steps/s, PyTorch {theirs[-1]:.2f} steps/s, ratio {ours[-1] / theirs[-1]:.2f}", flush=True)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"median: skip {statistics.median(ours):.2f}, PyTorch {statistics.median(theirs):.2f}, ratio {ratio:.2f}")


main()
