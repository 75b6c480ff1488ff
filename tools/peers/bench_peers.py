"""Whole encoders, the same weights in every engine: median milliseconds per cell of batch x length, interleaved.

usage: venv/bin/python tools/peers/bench_peers.py SKIP MODEL WORK [--shapes minilm,bert-base] [--batch 1,8,32] [--length 16,64,128]
       [--rounds 5] [--seconds 0.5] [--threads 2] [--engines skip-f32,ort-f32,openvino-f32,torch-f32,openvino-bf16,ort-int8]
WORK keeps the exported models. minilm is MODEL itself; bert-base has random weights of BERT-base's shape and MODEL's vocabulary.
Every engine gives mean embeddings of the same sentences first; the distances to PyTorch are printed, and float32 engines must agree. In every
round each engine in turn is timed for --seconds, so that drifts of the machine hit all of them; a cell's figure is the median of the rounds'
medians. Prints JSON lines: the distances, the cells, and one summary per pair of skip and the best peer of its type.
"""
import argparse
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

warnings.filterwarnings("ignore")

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
SENTENCES = ["a movie that makes you think", "where is the nearest station ?", "the plot, such as it is, falls apart in the last twenty minutes, and nobody cares",
             "refund", "how many people live in the largest city of the southern hemisphere ?"]
SAME = 1e-4  # of the RMS, between float32 engines


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
    plain, fused, small = (os.path.join(work, name) for name in ("plain.onnx", "fused.onnx", "int8.onnx"))
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
    quantize_dynamic(fused, small, extra_options=dict(DefaultTensorType=onnx.TensorProto.FLOAT))
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
    return {name: makers[name]() for name in wanted if not name.startswith("skip-")}


# ---------------------------------------------------------------- the same answers
def check_agreement(skip, folder, shape, engines, skips):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(folder + "/tokenizer.json")
    tokenizer.no_padding()
    rows = [tokenizer.encode(text).ids for text in SENTENCES]
    longest = max(map(len, rows))
    ids, mask = (np.zeros((len(rows), longest), dtype=np.int64) for _ in range(2))
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    feed = dict(input_ids=ids, attention_mask=mask, token_type_ids=ids * 0)
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
    base = got["torch-f32"] if "torch-f32" in got else next(iter(got.values()))
    rms = math.sqrt(float(np.mean(base ** 2)))
    for name, value in got.items():
        off = float(np.abs(value - base).max()) / rms
        print(json.dumps(dict(shape=shape, check=name, max_error_of_rms=off)), flush=True)
        if name.endswith("f32") and off > SAME:
            raise SystemExit(f"{name} is off by {off:.2e} of the RMS: not the same model")


# ---------------------------------------------------------------- time
def time_peer(run, feed, seconds):
    run(feed)
    samples, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples) < 3:
        start = time.perf_counter()
        run(feed)
        samples.append(time.perf_counter() - start)
    return 1000 * statistics.median(samples)


def time_skip(skip, folder, name, batch, length, seconds, threads):
    out = subprocess.run([skip, "bench", folder, "--batch", str(batch), "--length", str(length), "--seconds", str(seconds), "--threads", str(threads),
                          "--dtype", name.removeprefix("skip-"), "--json", "--quiet"], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["rows"][0]["median_ms"]


def macs(config, batch, length):
    d, f = config["hidden_size"], config["intermediate_size"]
    return batch * config["num_hidden_layers"] * (length * (4 * d * d + 2 * d * f) + 2 * length * length * d)


def measure(args, shape, folder):
    config = json.load(open(folder + "/config.json"))
    engines = peer_engines(folder, os.path.join(args.work, shape + "-onnx"), args.engines, args.threads)
    skips = [name for name in args.engines if name.startswith("skip-")]
    check_agreement(args.skip, folder, shape, engines, skips)
    rng, table = np.random.default_rng(0), {}
    for batch in args.batch:
        for length in args.length:
            ids = rng.integers(1000, config["vocab_size"], (batch, length))
            feed = dict(input_ids=ids, attention_mask=np.ones_like(ids), token_type_ids=np.zeros_like(ids))
            samples = {name: [] for name in args.engines}
            for _ in range(args.rounds):
                for name in args.engines:
                    ms = (time_skip(args.skip, folder, name, batch, length, args.seconds, args.threads) if name in skips else time_peer(engines[name], feed, args.seconds))
                    samples[name].append(ms)
            for name in args.engines:
                ms = statistics.median(samples[name])
                table[name, batch, length] = ms
                print(json.dumps(dict(shape=shape, batch=batch, length=length, engine=name, median_ms=round(ms, 3), lowest_ms=round(min(samples[name]), 3),
                                      highest_ms=round(max(samples[name]), 3), gops=round(2e-6 * macs(config, batch, length) / ms, 1))), flush=True)
    return table


def summarise(args, shape, table):
    for name in [n for n in args.engines if n.startswith("skip-")]:
        peers = [n for n in args.engines if n.endswith(name.removeprefix("skip")) and n != name]
        if not peers:
            continue
        ratios = {(b, n): min(table[p, b, n] for p in peers) / table[name, b, n] for b in args.batch for n in args.length}
        print(json.dumps(dict(shape=shape, engine=name, against=peers, geometric_mean=round(math.exp(statistics.mean(map(math.log, ratios.values()))), 3),
                              least=round(min(ratios.values()), 3), cells={f"{b}x{n}": round(r, 2) for (b, n), r in ratios.items()})), flush=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("skip", "model", "work"):
        parser.add_argument(name)
    words, numbers = (lambda text: text.split(",")), (lambda text: [int(x) for x in text.split(",")])
    parser.add_argument("--shapes", type=words, default=["minilm", "bert-base"])
    parser.add_argument("--batch", type=numbers, default=[1, 8, 32])
    parser.add_argument("--length", type=numbers, default=[16, 64, 128])
    parser.add_argument("--engines", type=words, default=["skip-f32", "ort-f32", "openvino-f32", "torch-f32", "openvino-bf16", "ort-int8"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    for shape in args.shapes:
        folder = args.model if shape == "minilm" else bert_base(args.model, os.path.join(args.work, shape))
        table = measure(args, shape, folder)
        summarise(args, shape, table)
        gc.collect()


if __name__ == "__main__":
    main()
