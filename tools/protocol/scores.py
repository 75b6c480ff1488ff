"""How far two score files of the same network agree.

usage: python3 tools/protocol/scores.py A.safetensors B.safetensors...
Prints for each B the mean over the groups of units of Spearman's rank correlation with A, and the lowest.
"""
import array
import json
import struct
import statistics
import sys


def read(path):
    """{name: floats} of a safetensors file of float32 or float64 tensors."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    codes = {"F32": "f", "F64": "d"}
    return {name: array.array(codes[about["dtype"]], data[about["data_offsets"][0]:about["data_offsets"][1]])
            for name, about in header.items() if name != "__metadata__"}


def ranks(values):
    """Ranks from 0, equal values at their mean."""
    order = sorted(range(len(values)), key=values.__getitem__)
    out, i = [0.0] * len(values), 0
    while i < len(order):
        j = i
        while j + 1 < len(order) and values[order[j + 1]] == values[order[i]]:
            j += 1
        for k in range(i, j + 1):
            out[order[k]] = (i + j) / 2
        i = j + 1
    return out


def spearman(a, b):
    """None where one side is constant: it ranks nothing."""
    x, y = ranks(a), ranks(b)
    if len(set(x)) < 2 or len(set(y)) < 2:
        return None
    return statistics.correlation(x, y)


def agreement(path_a, path_b):
    """{mean, lowest} over the groups of more than one unit."""
    a, b = read(path_a), read(path_b)
    found = [r for name in a if len(a[name]) > 1 and (r := spearman(a[name], b[name])) is not None]
    return {"mean": round(statistics.mean(found), 4), "lowest": round(min(found), 4)}


if __name__ == "__main__":
    for path in sys.argv[2:]:
        print(path, agreement(sys.argv[1], path))
