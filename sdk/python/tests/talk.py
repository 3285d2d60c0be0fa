"""Runs a trainer program and talks to it."""

import json
import os
import pathlib
import shlex
import subprocess
import sys

SDK = pathlib.Path(__file__).resolve().parents[1]
NUMPY_EXAMPLE = [sys.executable, str(SDK / "examples" / "softmax_numpy" / "train.py")]
TORCH_EXAMPLE = [sys.executable, str(SDK / "examples" / "softmax_torch" / "train.py")]


def builtin_softmax():
    """The command of the built-in trainer `softmax`, or None: CARNET_BUILTIN_TRAINER names the program that takes its
    name, for example "build/release/carnet trainer"."""
    program = os.environ.get("CARNET_BUILTIN_TRAINER")
    return shlex.split(program) + ["softmax"] if program else None


def talk(command, requests, cwd):
    """(exit code, replies, standard error) after sending the requests (dicts, or bytes as they are)."""
    lines = b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in requests)
    done = subprocess.run(command, input=lines, cwd=cwd, capture_output=True, timeout=120, check=False)
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, replies, done.stderr.decode()


def start(settings, layout="layout.json", device="auto"):
    return {"op": "start", "job": "digits", "protocol": 1, "layout": layout, "settings": settings, "device": device}


def fit(steps, seed=1, parameters="base.safetensors", delta="delta.safetensors", data="shard.csv"):
    return {
        "op": "fit",
        "round": 7,
        "parameters": parameters,
        "delta": delta,
        "data": [data],
        "steps": steps,
        "seed": seed,
    }


def evaluate(parameters="base.safetensors", data="shard.csv"):
    return {"op": "evaluate", "parameters": parameters, "data": [data]}
