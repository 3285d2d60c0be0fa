"""A real federation for a test: real processes, real TLS on loopback, files in a folder of its own.

Everything goes through the binary as a user runs it. Ports are free ones; a worker can be reached through a proxy that
counts bytes (proxy.py). Nothing sleeps for a fixed time: waits poll a condition until a deadline.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("CARNET_BINARY", ROOT / "build/release/carnet")).resolve()
WAIT_SECONDS_MAX = 120

# People without labels that need a regime: every shard is free of personal data, so four sites may train.
OPEN_FEDERATION = """
federation: digits-test
home: {{jurisdiction: DE, organisation: acme}}
trust_domain: test.acme.example
listen: {{grpc: "127.0.0.1:{grpc}", https: "127.0.0.1:{https}"}}
policies: {policies}
suppliers:
  gaul: {{organised_in: FR, ultimate_parent: FR}}
  lion: {{organised_in: SG, ultimate_parent: SG}}
  falcon: {{organised_in: AE, ultimate_parent: AE}}
  condor: {{organised_in: BR, ultimate_parent: BR}}
regions:
  fr: {{jurisdictions: [FR], supplier: gaul, location_evidence: contract}}
  sg: {{jurisdictions: [SG], supplier: lion, location_evidence: contract}}
  ae: {{jurisdictions: [AE], supplier: falcon, location_evidence: contract}}
  br: {{jurisdictions: [BR], supplier: condor, location_evidence: contract}}
workers:
  home-1: {{region: home}}
  fr-1: {{region: fr}}
  sg-1: {{region: sg}}
  ae-1: {{region: ae}}
  br-1: {{region: br}}
datasets:
  digits:
    labels: {{categories: [none]}}
    shards:
      fr: {{stored_in: fr, rows: {rows[fr]}}}
      sg: {{stored_in: sg, rows: {rows[sg]}}}
      ae: {{stored_in: ae, rows: {rows[ae]}}}
      br: {{stored_in: br, rows: {rows[br]}}}
  golden:
    labels: {{categories: [none]}}
    shards:
      home: {{stored_in: home, rows: 360}}
"""

JOB = """
job: digits
purpose: digit-recognition
model: {{file: base.safetensors}}
data: [digits/*]
trainer: {{name: softmax}}
local: {{steps: {steps}, settings: {{learning_rate: 0.5, features_scale: 0.0625}}}}
rounds: {{count: {rounds}, cohort: {{min: {minimum}, target: 4}}, close: {{when: all, deadline: {deadline}}}}}
strategy: {{combine: mean, weights: examples, server_optimizer: {optimizer}}}
delta: {{codec: {codec}{clip}}}
privacy: {{mode: trusted}}
metrics: [loss, accuracy]
{evaluate}
"""

SITES = ("fr", "sg", "ae", "br")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what, seconds=WAIT_SECONDS_MAX):
    """Polls until `condition()` is truthy and returns it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for: {what}")


class Process:
    """A daemon whose output goes to a file that a failing test shows."""

    def __init__(self, arguments, log, env=None):
        self.log = Path(log)
        self.output = self.log.open("ab")
        self.process = subprocess.Popen(
            [str(a) for a in arguments], stdout=self.output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})})

    @property
    def pid(self):
        return self.process.pid

    def text(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        self.process.kill()
        return self.process.wait()

    def stop(self, seconds=30):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"did not stop on SIGTERM: {self.log}") from None
        return self.process.returncode


class Federation:
    """One federation in `folder`. Use as a context manager: everything is stopped at the end."""

    def __init__(self, folder, by="row", federation=OPEN_FEDERATION, policies="policies", coordinator_config=""):
        self.folder = Path(folder)
        self.home = self.folder / "home"
        self.grpc, self.https = free_port(), free_port()
        self.processes = []
        self.workers = {}
        self.coordinator = None
        subprocess.run(["/usr/bin/python3", ROOT / "examples/digits/split.py", "--out", self.folder / "data", "--by", by],
                       check=True, capture_output=True)
        rows = {site: len((self.folder / "data" / site / "train.csv").read_text().split()) for site in SITES}
        if policies == "policies":
            shutil.copytree(ROOT / "examples/digits/policies", self.folder / "policies")
        self.federation_file = self.folder / "federation.yaml"
        self.federation_file.write_text(
            federation.format(grpc=self.grpc, https=self.https, policies=policies, rows=rows))
        self.run("trainer", "init", "softmax", "--features", 64, "--classes", 10, "--out", self.folder / "base.safetensors")
        self.run("init", "-f", self.federation_file, "--state", self.home)
        with (self.home / "coordinator.yaml").open("a") as config:
            config.write("heartbeat: 1s\ntask_poll_max: 1s\nstart_grace: 3s\n" + coordinator_config)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.process.poll() is None:
                process.kill()

    # ---- commands ----

    def call(self, *arguments, env=None):
        """Runs the binary; returns the completed process whatever its exit code."""
        return subprocess.run([str(BINARY), *[str(a) for a in arguments]], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=WAIT_SECONDS_MAX, env={**os.environ, **(env or {})})

    def run(self, *arguments):
        """Runs the binary and expects success; returns its standard output."""
        done = self.call(*arguments)
        if done.returncode != 0:
            raise AssertionError(f"carnet {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json", "--state", self.home))

    # ---- daemons ----

    def start_coordinator(self, env=None):
        log = self.folder / "coordinator.log"
        before = log.read_text(errors="replace").count("Coordinator ready") if log.exists() else 0
        self.coordinator = Process([BINARY, "coordinator", "run", "--state", self.home], log, env)
        self.processes.append(self.coordinator)
        wait_for(lambda: self.coordinator.process.poll() is not None or
                 self.coordinator.text().count("Coordinator ready") > before, "the coordinator to be ready")
        if self.coordinator.process.poll() is not None:
            raise AssertionError(f"the coordinator ended: {self.coordinator.text()[-2000:]}")
        return self.coordinator

    def start_worker(self, slot, data=None, extra=(), token=None):
        site = slot.rsplit("-", 1)[0]
        if data is None:
            data = ({"golden/home": self.folder / "data/home/golden.csv"} if site == "home" else
                    {f"digits/{site}": self.folder / "data" / site / "train.csv"})
        arguments = [BINARY, "worker", "run", "--join", token or self.folder / "join" / f"{slot}.token", "--state",
                     self.folder / slot]
        for name, path in data.items():
            arguments += ["--data", f"{name}={path}"]
        worker = Process([*arguments, *extra], self.folder / f"{slot}.log")
        self.processes.append(worker)
        self.workers[slot] = worker
        return worker

    def start_all(self, slots=("home-1", "fr-1", "sg-1", "ae-1", "br-1")):
        self.start_coordinator()
        for slot in slots:
            self.start_worker(slot)

    # ---- jobs ----

    def write_job(self, rounds=5, steps=1, minimum=4, optimizer="{none: {}}", codec="fp32", clip=None, deadline="5m",
                  evaluate=True, name="job.yaml"):
        path = self.folder / name
        path.write_text(JOB.format(
            rounds=rounds, steps=steps, minimum=minimum, optimizer=optimizer, codec=codec, deadline=deadline,
            clip=f", clip: {clip}" if clip else "",
            evaluate="evaluate: {data: golden, at: home, every: 1}" if evaluate else ""))
        return path

    def submit(self, job_file):
        return self.json("job", "submit", job_file)["job_id"]

    def status(self, job):
        return self.json("job", "status", job)

    def wait_ended(self, job, seconds=WAIT_SECONDS_MAX):
        def ended():
            done = self.call("job", "status", job, "--json", "--state", self.home)
            status = json.loads(done.stdout) if done.returncode == 0 else {}
            return status if status.get("state") in ("completed", "stopped") else None
        return wait_for(ended, f"job {job} to end; coordinator says: {self.coordinator.text()[-1500:]}", seconds)

    def export(self, job, name="out"):
        out = self.folder / name
        self.run("job", "export", job, "--out", out, "--state", self.home)
        return out

    def verify(self, out):
        return self.call("manifest", "verify", out / "model.safetensors", "--manifest", out / "model.carnet", "--trust",
                         out / "trust.policy", "--json")
