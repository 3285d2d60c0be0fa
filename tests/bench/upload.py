#!/usr/bin/python3
"""B3: a real worker uploads its sealed delta to a real coordinator: mutual TLS on loopback, hashed, spooled, fsynced.

The seconds are the worker's own, from its first byte to the coordinator's word that everything is durable; the best of
the rounds counts. carnet_bench_upload then takes the limits on the same disk and prints the bar.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from federation import Federation  # noqa: E402

BYTES_PER_VALUE = 4
VALUES_PER_WRITE = 1 << 20
SECONDS_MAX = 1200

# Sends the model itself as its delta: training is not what is measured.
TRAINER = """\
import json, shutil, sys
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "start":
        answer = {"ok": True, "trainer": "copy", "version": "1"}
    elif request["op"] == "fit":
        shutil.copyfile(request["parameters"], request["delta"])
        answer = {"done": {"examples": 1, "steps": request["steps"], "metrics": {}}}
    else:
        break
    print(json.dumps(answer), flush=True)
"""


def write_model(path, values):
    """One tensor of small different numbers, as safetensors."""
    header = json.dumps({"w": {"data_offsets": [0, values * BYTES_PER_VALUE], "dtype": "F32", "shape": [values]}},
                        separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    rng = np.random.default_rng(1)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for first in range(0, values, VALUES_PER_WRITE):
            count = min(VALUES_PER_WRITE, values - first)
            file.write((rng.random(count, dtype=np.float32) * np.float32(1e-3)).astype("<f4").tobytes())


def uploads(federation):
    lines = [json.loads(line) for line in federation.workers["sg-1"].text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == "uploaded"]


def measure(folder, size_bytes, rounds):
    """(sealed bytes, seconds) of the fastest upload."""
    with Federation(folder) as federation:
        write_model(folder / "large.safetensors", max(1, size_bytes // BYTES_PER_VALUE))
        (folder / "copy.py").write_text(TRAINER)
        (folder / "worker.yaml").write_text(
            "trainers:\n  copy: {command: [/usr/bin/python3, copy.py], files: [copy.py]}\n")
        digest = federation.run("trainer", "digest", "copy.py", "--base", folder).split()[0]
        federation.start_coordinator()
        federation.start_worker("sg-1", extra=("--config", folder / "worker.yaml"))
        federation.wait_live(("sg-1",))
        job = federation.submit(federation.write_job(
            rounds=rounds, minimum=1, target=1, evaluate=0, data="digits/sg", deadline="20m", model="large.safetensors",
            trainer=f"copy, digest: {digest}"))
        status = federation.wait_ended(job, SECONDS_MAX)
        if status["state"] != "completed":
            raise SystemExit(f"bench: the job was not completed: {status}")
        best = min(uploads(federation), key=lambda line: line["seconds"])
        return best["sealed_bytes"], best["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limits", required=True, help="the program carnet_bench_upload")
    parser.add_argument("--bytes", type=int, default=2 << 30, help="of the delta")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dir", default="/var/tmp", help="for about seven files of that size, removed in the end")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="carnet-bench-", dir=arguments.dir))
    try:
        sealed_bytes, seconds = measure(folder, arguments.bytes, arguments.repeats)
        limits = [arguments.limits, "--bytes", sealed_bytes, "--measured-seconds", seconds, "--repeats", arguments.repeats,
                  "--dir", folder, "--commit", arguments.commit, *(["--json"] if arguments.json else [])]
        sys.exit(subprocess.run([str(argument) for argument in limits], env=os.environ, check=False).returncode)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
