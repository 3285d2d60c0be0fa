#!/usr/bin/python3
"""Train loss and test accuracy of an exported softmax model on the digits, in float64.

Independent of Carnet: numpy and its own reading of safetensors. Prints one JSON object.

    digits_oracle.py model.safetensors [--data digits.csv] [--expect-loss X] [--expect-accuracy Y] [--tolerance 1e-5]

Exit code 1 when an expectation is missed, 2 when a file cannot be understood.
"""

import argparse
import json
import pathlib
import struct
import sys

import numpy as np

TRAIN_ROWS = 1437
DIGITS = pathlib.Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits.csv"


def read_safetensors(path):
    """Tensors by name in float64 (https://github.com/huggingface/safetensors#format)."""
    raw = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    data = raw[8 + length :]
    tensors = {}
    used = 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"{name}: expected F32")
        begin, end = entry["data_offsets"]
        used += end - begin
        tensors[name] = np.frombuffer(data[begin:end], dtype="<f4").reshape(entry["shape"]).astype(np.float64)
    if used != len(data):
        raise ValueError("the tensors do not fill the file")
    return tensors


def read_digits(path):
    """(pixels / 16, labels) of all 1,797 rows."""
    rows = np.loadtxt(path, delimiter=",")
    if rows.shape != (1797, 65):
        raise ValueError("expected 1797 rows of 64 pixels and the digit")
    return rows[:, :64] / 16, rows[:, 64].astype(int)


def log_probabilities(weight, bias, pixels):
    logits = pixels @ weight + bias
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def measure(weight, bias, pixels, labels):
    """Mean cross-entropy over the first 1,437 rows, share of right answers over the last 360."""
    scores = log_probabilities(weight, bias, pixels)
    train, test = slice(0, TRAIN_ROWS), slice(TRAIN_ROWS, None)
    loss = -scores[train][np.arange(TRAIN_ROWS), labels[train]].mean()
    accuracy = (scores[test].argmax(axis=1) == labels[test]).mean()
    return float(loss), float(accuracy)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", default=DIGITS)
    parser.add_argument("--expect-loss", type=float)
    parser.add_argument("--expect-accuracy", type=float)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    arguments = parser.parse_args()
    try:
        tensors = read_safetensors(arguments.model)
        if {name: t.shape for name, t in tensors.items()} != {"weight": (64, 10), "bias": (10,)}:
            raise ValueError("expected weight [64, 10] and bias [10]")
        loss, accuracy = measure(tensors["weight"], tensors["bias"], *read_digits(arguments.data))
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        print(f"{arguments.model}: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"train_loss": loss, "test_accuracy": accuracy}))
    missed = [
        name
        for name, value, expected in (
            ("train_loss", loss, arguments.expect_loss),
            ("test_accuracy", accuracy, arguments.expect_accuracy),
        )
        if expected is not None and not abs(value - expected) <= arguments.tolerance
    ]
    for name in missed:
        print(f"{name} is not what was expected", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
