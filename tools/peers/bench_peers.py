"""Whole encoders, the same weights in every engine: median milliseconds per cell of batch x length, and sentences a second on real text, interleaved.

usage: venv/bin/python tools/peers/bench_peers.py SKIP MODEL WORK [--shapes minilm,bert-base] [--batch 1,8,32] [--length 16,64,128] [--data FILE.tsv]
       [--package PKG] [--rounds 5] [--seconds 0.5] [--threads 2] [--engines LIST] [--out FOLDER]
WORK keeps the exported models. minilm is MODEL itself; bert-base has random weights of BERT-base's shape and MODEL's vocabulary. --batch "" leaves the
cells out. --data: the sentences of a file, `skip` in packed batches of 32, each peer in batches of 32 sorted by length and padded to their longest.
--package: a smaller network, timed on that text as the engines small-f32, small-bf16 and small-int8 that --engines names, against the dense float32 ones.

Every engine gives mean embeddings of the same sentences first; the distances to float32 are printed, float32 engines must agree, and one of a shorter
type must give much the same directions to be a peer. In every round each engine in turn is timed for --seconds, so that drifts of the machine hit all
of them; a figure is the median of the rounds' medians. Prints JSON lines: the distances, the figures, and for each engine of skip its ratio to the best
peer of the same type. --out keeps them, with tables and a drawing (report_peers.py).

ort-int8 is ONNX Runtime's dynamic quantisation of the optimised graph with one scale per column of a weight (per_channel). With its default, one scale
per weight, the largest error of MiniLM's embeddings is 1.06 of their RMS and the mean cosine to float32 0.963; per column it is 0.56 and 0.992, at the
same speed (within 4 % in every cell tried). That the table of words is quantised too matters little (0.10); reduce_range is for CPUs without VNNI and
made it worse. A user who looked at the output would choose the same.
"""
import argparse
import contextlib
import gc
import json
import math
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import warnings

import numpy as np
import report_peers
from report_peers import peers_of

warnings.filterwarnings("ignore")

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
SENTENCES = ["a movie that makes you think", "where is the nearest station ?", "the plot, such as it is, falls apart in the last twenty minutes, and nobody cares",
             "refund", "how many people live in the largest city of the southern hemisphere ?"]
SAME = 1e-4  # of the RMS, between float32 engines
ALIKE = 0.98  # least mean cosine between an engine of a shorter type and float32
TEXT_BATCH = 32
ENGINES = ["skip-f32", "ort-f32", "openvino-f32", "torch-f32", "skip-bf16", "openvino-bf16", "skip-int8", "ort-int8"]


class Log:
    """The records of a run: printed as they come, and kept."""
    def __init__(self, folder):
        self.records, self.file = [], None
        if folder:
            os.makedirs(folder, exist_ok=True)
            self.file = open(os.path.join(folder, "results.jsonl"), "w", encoding="utf-8")

    def add(self, **record):
        self.records.append(record)
        print(json.dumps(record), flush=True)
        if self.file:
            print(json.dumps(record), file=self.file, flush=True)


# ---------------------------------------------------------------- models
def bert_base(model, folder):
    """A Hugging Face folder of BERT-base's shape: 12 layers, D 768, 12 heads, F 3072, random weights."""
    import torch
    from transformers import BertConfig, BertModel
    if os.path.exists(folder + "/model.safetensors"):
        return folder
    torch.manual_seed(0)
    vocabulary = json.load(open(model + "/config.json"))["vocab_size"]
    BertModel(BertConfig(vocab_size=vocabulary), add_pooling_layer=False).save_pretrained(folder)
    for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if os.path.exists(os.path.join(model, name)):
            shutil.copy(os.path.join(model, name), os.path.join(folder, name))
    return folder


def torch_model(folder, threads, attention="sdpa"):
    import torch
    from transformers import BertModel
    torch.set_num_threads(threads)
    inner = BertModel.from_pretrained(folder, attn_implementation=attention, add_pooling_layer=False).eval()

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask, token_type_ids):
            hidden = self.inner(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state
            share = attention_mask.unsqueeze(-1).to(hidden.dtype)
            return (hidden * share).sum(1) / share.sum(1)

    return Mean().eval()


def export(folder, work, threads):
    """plain.onnx, the same after ONNX Runtime's transformer optimiser, and that with dynamic int8 weights; made once."""
    plain, fused, small = (os.path.join(work, name) for name in ("plain.onnx", "fused.onnx", "int8_per_channel.onnx"))
    if os.path.exists(small):
        return plain, fused, small
    import onnx
    import torch
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.transformers import optimizer
    os.makedirs(work, exist_ok=True)
    config = json.load(open(folder + "/config.json"))
    ids = torch.ones(2, 16, dtype=torch.long)
    torch.onnx.export(torch_model(folder, threads, "eager"), (ids, ids, ids * 0), plain, input_names=list(INPUTS), output_names=["embedding"],
                      dynamic_axes={name: {0: "batch", 1: "length"} for name in INPUTS}, dynamo=False, opset_version=17)
    best = optimizer.optimize_model(plain, model_type="bert", num_heads=config["num_attention_heads"], hidden_size=config["hidden_size"], opt_level=1)
    fusions = best.get_fused_operator_statistics()
    if fusions["Attention"] != config["num_hidden_layers"]:
        raise SystemExit(f"the transformer optimiser fused {fusions['Attention']} of {config['num_hidden_layers']} attentions")
    best.save_model_to_file(fused)
    quantize_dynamic(fused, small, per_channel=True, extra_options=dict(DefaultTensorType=onnx.TensorProto.FLOAT))
    return plain, fused, small


# ---------------------------------------------------------------- engines: name -> function from the three int64 arrays to embeddings
def ort_engine(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return lambda feed: session.run(None, {name: feed[name] for name in names})[0]


def openvino_engine(path, threads, precision):
    import openvino
    core = openvino.Core()
    model = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"})
    request = model.create_infer_request()
    return lambda feed: request.infer(feed)[model.output(0)]


def torch_engine(folder, threads):
    import torch
    model = torch_model(folder, threads)

    def run(feed):
        with torch.inference_mode():
            return model(**{name: torch.from_numpy(value) for name, value in feed.items()}).numpy()
    return run


def peer_engines(folder, work, wanted, threads):
    plain, fused, small = export(folder, work, threads)
    makers = {"ort-f32": lambda: ort_engine(fused, threads), "ort-int8": lambda: ort_engine(small, threads), "torch-f32": lambda: torch_engine(folder, threads),
              "openvino-f32": lambda: openvino_engine(plain, threads, "f32"), "openvino-bf16": lambda: openvino_engine(plain, threads, "bf16")}
    return {name: makers[name]() for name in wanted if name in makers}


# ---------------------------------------------------------------- the same answers
def read_tokenizer(folder):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(json.load(open(folder + "/config.json"))["max_position_embeddings"])
    return tokenizer


def pad(rows):
    """The inputs of a batch of token ids, padded to its longest."""
    ids, mask = (np.zeros((len(rows), max(map(len, rows))), dtype=np.int64) for _ in range(2))
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    return dict(input_ids=ids, attention_mask=mask, token_type_ids=ids * 0)


def check_agreement(log, skip, folder, shape, engines, skips):
    tokenizer = read_tokenizer(folder)
    feed = pad([tokenizer.encode(text).ids for text in SENTENCES])
    got = {name: np.array(run(feed)) for name, run in engines.items()}
    with tempfile.TemporaryDirectory() as work:
        text = os.path.join(work, "rows.jsonl")
        with open(text, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(dict(text=s)) + "\n" for s in SENTENCES)
        for name in skips:
            out = os.path.join(work, name + ".safetensors")
            subprocess.run([skip, "encode", folder, text, "--pool", "mean", "--dtype", name.removeprefix("skip-"), "--quiet", "-o", out], check=True)
            from safetensors.numpy import load_file
            got[name] = load_file(out)["embedding"]
    base = next((got[name] for name in ("torch-f32", "ort-f32", "openvino-f32", "skip-f32") if name in got), None)
    if base is None:
        raise SystemExit("--engines needs one of float32 to compare with")
    rms, norm = math.sqrt(float(np.mean(base ** 2))), lambda x: np.linalg.norm(x, axis=1)
    for name, value in got.items():
        off, cosine = float(np.abs(value - base).max()) / rms, float(np.mean((value * base).sum(1) / norm(value) / norm(base)))
        log.add(shape=shape, check=name, max_error_of_rms=off, mean_cosine=round(cosine, 6))
        if (name.endswith("f32") and off > SAME) or cosine < ALIKE:
            raise SystemExit(f"{name} is off by {off:.2e} of the RMS, cosine {cosine:.4f}: not the same model")


# ---------------------------------------------------------------- time
def time_peer(run, feed, seconds):
    run(feed)
    samples, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 3:
        start = time.perf_counter()
        run(feed)
        samples.append(time.perf_counter() - start)
    return 1000 * statistics.median(samples)


def time_skip(args, folder, name, *what):
    size, dtype = name.split("-")
    out = subprocess.run([args.skip, "bench", args.package if size == "small" else folder, *map(str, what), "--seconds", str(args.seconds),
                          "--threads", str(args.threads), "--dtype", dtype, "--json", "--quiet"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["rows"][0]["median_ms"]


def rounds(args, time_of):
    """Every engine in turn, --rounds times: {engine: milliseconds of each round}."""
    samples = {name: [] for name in args.engines}
    for _ in range(args.rounds):
        for name in args.engines:
            samples[name].append(time_of(name))
    return samples


def spread(samples):
    return dict(median_ms=round(statistics.median(samples), 3), lowest_ms=round(min(samples), 3), highest_ms=round(max(samples), 3))


def macs(config, batch, length):
    d, f = config["hidden_size"], config["intermediate_size"]
    return batch * config["num_hidden_layers"] * (length * (4 * d * d + 2 * d * f) + 2 * length * length * d)


def ratios(args, figures):
    """figures: {engine: milliseconds}. For each engine of skip that has peers: (engine, best peer, how many times faster than that)."""
    for name in args.engines:
        peers = peers_of(name, args.engines)
        if peers:
            best = min(peers, key=figures.get)
            yield name, best, figures[best] / figures[name]


def measure_cells(log, args, shape, folder, engines):
    config = json.load(open(folder + "/config.json"))
    rng, found = np.random.default_rng(0), {}
    for batch in args.batch:
        for length in args.length:
            ids = rng.integers(1000, config["vocab_size"], (batch, length))
            feed = dict(input_ids=ids, attention_mask=np.ones_like(ids), token_type_ids=np.zeros_like(ids))
            samples = rounds(args, lambda name: time_peer(engines[name], feed, args.seconds) if name in engines
                             else time_skip(args, folder, name, "--batch", batch, "--length", length))
            figures = {name: statistics.median(samples[name]) for name in args.engines}
            for name in args.engines:
                log.add(shape=shape, batch=batch, length=length, engine=name, **spread(samples[name]), gops=round(2e-6 * macs(config, batch, length) / figures[name], 1))
            for name, _, ratio in ratios(args, figures):
                found.setdefault(name, {})[f"{batch}x{length}"] = ratio
    for name, cells in found.items():
        log.add(shape=shape, engine=name, against=peers_of(name, args.engines), geometric_mean=round(math.exp(statistics.mean(map(math.log, cells.values()))), 3),
                least=round(min(cells.values()), 3), cells={cell: round(ratio, 2) for cell, ratio in cells.items()})


# ---------------------------------------------------------------- real text
@contextlib.contextmanager
def read_rows(args, folder):
    """Token ids of every sentence, and a file of the sentences for skip, which must see the same ids."""
    lines = open(args.data, encoding="utf-8").read().rstrip("\n").split("\n")
    header = lines[0].split("\t")
    column = header.index("sentence" if "sentence" in header else "text")
    texts = [line.split("\t")[column] for line in lines[1:]]
    rows = [encoding.ids for encoding in read_tokenizer(folder).encode_batch(texts)]
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "rows.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(dict(text=text)) + "\n" for text in texts)
        out = subprocess.run([args.skip, "tokenize", folder, path, "--quiet"], check=True, capture_output=True, text=True).stdout
        if [json.loads(line)["ids"] for line in out.splitlines()] != rows:
            raise SystemExit(f"skip and the tokenizers library cut {args.data} into different tokens")
        yield rows, path


def measure_text(log, args, shape, folder, engines):
    with read_rows(args, folder) as (rows, path):
        by_length = sorted(rows, key=len)
        feeds = [pad(by_length[i : i + TEXT_BATCH]) for i in range(0, len(rows), TEXT_BATCH)]
        samples = rounds(args, lambda name: time_peer(lambda _: [engines[name](feed) for feed in feeds], None, args.seconds) if name in engines
                         else time_skip(args, folder, name, "--batch", TEXT_BATCH, "--data", path))
    figures = {name: statistics.median(samples[name]) for name in args.engines}
    known = dict(shape=shape, data=os.path.basename(args.data))
    for name in args.engines:
        log.add(**known, batch=TEXT_BATCH, sentences=len(rows), tokens=sum(map(len, rows)), padded_tokens=sum(f["input_ids"].size for f in feeds) if name in engines else 0,
                engine=name, **spread(samples[name]), sentences_per_second=round(1000 * len(rows) / figures[name], 1))
    for name, best, ratio in ratios(args, figures):
        log.add(**known, engine=name, against=best, ratio=round(ratio, 3))


def main():
    parser = argparse.ArgumentParser()
    for name in ("skip", "model", "work"):
        parser.add_argument(name)
    words, numbers = (lambda text: text.split(",")), (lambda text: [int(x) for x in text.split(",") if x])
    parser.add_argument("--shapes", type=words, default=["minilm", "bert-base"])
    parser.add_argument("--batch", type=numbers, default=[1, 8, 32])
    parser.add_argument("--length", type=numbers, default=[16, 64, 128])
    parser.add_argument("--engines", type=words, default=ENGINES)
    parser.add_argument("--data")
    parser.add_argument("--package")
    parser.add_argument("--out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if any(name.startswith("small-") for name in args.engines) and not (args.package and args.data and not args.batch):
        parser.error("small-* engines take --package, --data and --batch ''")
    log = Log(args.out)
    for shape in args.shapes:
        folder = args.model if shape == "minilm" else bert_base(args.model, os.path.join(args.work, shape))
        engines = peer_engines(folder, os.path.join(args.work, shape + "-onnx"), args.engines, args.threads)
        check_agreement(log, args.skip, folder, shape, engines, [name for name in args.engines if name.startswith("skip-")])
        if args.batch and args.length:
            measure_cells(log, args, shape, folder, engines)
        if args.data:
            measure_text(log, args, shape, folder, engines)
        del engines
        gc.collect()
    if args.out:
        report_peers.write(log.records, args.out)


if __name__ == "__main__":
    main()
