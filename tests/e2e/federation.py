"""A real federation for a test: real processes, real TLS on loopback, files in a folder of its own.

Everything goes through the binary as a user runs it. Ports are free ones; a worker can be reached through a proxy that
counts bytes (proxy.py). Nothing sleeps for a fixed time: waits poll a condition until a deadline.
"""

import base64
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from proxy import CountingProxy

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
  by-label:
    labels: {{categories: [none]}}
    shards:
      fr: {{stored_in: fr, rows: {label_rows[fr]}}}
      sg: {{stored_in: sg, rows: {label_rows[sg]}}}
      ae: {{stored_in: ae, rows: {label_rows[ae]}}}
      br: {{stored_in: br, rows: {label_rows[br]}}}
  golden:
    labels: {{categories: [none]}}
    shards:
      home: {{stored_in: home, rows: 360}}
"""

JOB = """
job: digits
purpose: digit-recognition
model: {{file: {model}}}
data: ["{data}"]
trainer: {{name: {trainer}}}
local: {{steps: {steps}, settings: {{learning_rate: 0.5, features_scale: 0.0625}}}}
rounds: {{count: {rounds}, cohort: {{min: {minimum}, target: {target}}}, close: {{when: all, deadline: {deadline}}}}}
strategy: {{combine: mean, weights: examples, server_optimizer: {optimizer}}}
delta: {{codec: {codec}{clip}}}
privacy: {{mode: trusted}}
metrics: [loss, accuracy]
{evaluate}
"""

SITES = ("fr", "sg", "ae", "br")
SLOTS = ("home-1", "fr-1", "sg-1", "ae-1", "br-1")


def seeds(count):
    """As tests/testing/seeds.h: CARNET_SEED alone, else `count` that follow CARNET_COMMIT_NUMBER."""
    if "CARNET_SEED" in os.environ:
        return [int(os.environ["CARNET_SEED"])]
    first = int(os.environ.get("CARNET_COMMIT_NUMBER", "0")) * count
    return list(range(first, first + count))


def say(text):
    print(text, file=sys.stderr, flush=True)


def generator(test):
    """The one source of random choices of a test; its seed is printed."""
    seed = seeds(1)[0]
    say(f"{test}: CARNET_SEED={seed}")
    return random.Random(seed)


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


def preload(library, **variables):
    """The environment of a process with a library of tests/fault before it; `library` is the variable that has its path."""
    return {"LD_PRELOAD": os.environ[library], "ASAN_OPTIONS": "verify_asan_link_order=0", **variables}


def stop_at(call, text, count, when, log):
    """The environment of a process that is killed at one point of its work (tests/fault/stop_at.cc), which `log` names."""
    return preload("CARNET_STOP_AT_LIBRARY", CARNET_STOP_AT=";".join([call, text, str(count), when, "kill"]),
                   CARNET_STOP_AT_LOG=str(log))


def stop_at_record(kind, when, log):
    """The same before or after the first record of a kind."""
    return stop_at("record", f"urn:carnet:{kind}:v1", 1, when, log)


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A daemon whose output goes to a file that a failing test shows."""

    def __init__(self, arguments, log, env=None):
        self.log = Path(log)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(a) for a in arguments], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})}, preexec_fn=die_with_parent)

    @property
    def pid(self):
        return self.process.pid

    @property
    def alive(self):
        return self.process.poll() is None

    def text(self):
        return self.log.read_text(errors="replace")

    def send(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=WAIT_SECONDS_MAX):
        return self.process.wait(seconds)

    def kill(self):
        self.process.kill()
        return self.process.wait()

    def stop(self, seconds=60):
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

    def __init__(self, folder, federation=OPEN_FEDERATION, coordinator_config="", heartbeat="1s", start_grace="3s",
                 policies=None):
        self.folder = Path(folder)
        self.home = self.folder / "home"
        self.grpc, self.https = free_port(), free_port()
        self.processes = []
        self.workers = {}
        self.proxies = {}
        self.coordinator = None
        rows = self.cut("data", "row")
        label_rows = self.cut("data-by-label", "label")
        shutil.copytree(ROOT / "examples/digits/policies", self.folder / "policies")
        for name, text in (policies or {}).items():  # beside those of the example
            (self.folder / "policies" / name).write_text(text)
        self.federation_file = self.folder / "federation.yaml"
        self.federation_file.write_text(federation.format(
            grpc=self.grpc, https=self.https, policies="policies", rows=rows, label_rows=label_rows))
        self.run("trainer", "init", "softmax", "--features", 64, "--classes", 10, "--out", self.folder / "base.safetensors")
        self.said_by_init = self.run("init", "-f", self.federation_file, "--state", self.home)
        self.configure(f"heartbeat: {heartbeat}\ntask_poll_max: 1s\nstart_grace: {start_grace}\n{coordinator_config}")

    def cut(self, name, by):
        """The digits in shards below `name`; rows of each site."""
        subprocess.run(["/usr/bin/python3", ROOT / "examples/digits/split.py", "--out", self.folder / name, "--by", by],
                       check=True, capture_output=True)
        return {site: len((self.folder / name / site / "train.csv").read_text().split()) for site in SITES}

    def configure(self, text):
        """Adds to coordinator.yaml, for the next start; `carnet init` wrote the lines that stand there now."""
        path = self.home / "coordinator.yaml"
        if not hasattr(self, "founded_config"):
            self.founded_config = path.read_text() if path.exists() else ""
        path.write_text(self.founded_config + text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in reversed(self.processes):
            if process.alive:
                process.kill()
        for pair in self.proxies.values():
            for proxy in pair:
                proxy.close()

    # ---- commands ----

    def call(self, *arguments, env=None, seconds=WAIT_SECONDS_MAX):
        """Runs the binary; returns the completed process whatever its exit code."""
        return subprocess.run([str(BINARY), *[str(a) for a in arguments]], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=seconds, env={**os.environ, **(env or {})})

    def run(self, *arguments):
        """Runs the binary and expects success; returns its standard output."""
        done = self.call(*arguments)
        if done.returncode != 0:
            raise AssertionError(f"carnet {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json", "--state", self.home))

    def json_lines(self, *arguments):
        return [json.loads(line) for line in self.run(*arguments, "--json", "--state", self.home).splitlines()]

    # ---- daemons ----

    def start_coordinator(self, env=None, expect_ready=True, state=None):
        log = self.folder / "coordinator.log"
        before = log.read_text(errors="replace").count("Coordinator ready") if log.exists() else 0
        coordinator = Process([BINARY, "coordinator", "run", "--state", state or self.home], log, env)
        self.coordinator = coordinator
        self.processes.append(coordinator)
        wait_for(lambda: not coordinator.alive or coordinator.text().count("Coordinator ready") > before,
                 "the coordinator to be ready")
        if expect_ready and coordinator.text().count("Coordinator ready") <= before:
            raise AssertionError(f"the coordinator ended: {coordinator.text()[-2000:]}")
        return coordinator

    def restart(self, env=None):
        """The coordinator, until every worker is back."""
        self.coordinator.stop()
        self.start_coordinator(env)
        self.wait_live(SLOTS)

    def key_files(self):
        """Ids of the coordinator's keys that are there."""
        return {path.stem for path in (self.home / "keys").glob("*.key")}

    def token(self, slot):
        return self.folder / "join" / f"{slot}.token"

    def through_proxy(self, slot):
        """A token of the same invitation whose addresses are two counting proxies; use it with start_worker."""
        proxies = (CountingProxy(("127.0.0.1", self.grpc)), CountingProxy(("127.0.0.1", self.https)))
        self.proxies[slot] = proxies
        changed = self.folder / f"{slot}-by-proxy.token"
        write_token(changed, {**read_token(self.token(slot)),
                              "addresses": [f"127.0.0.1:{proxies[0].port}"], "https": [f"127.0.0.1:{proxies[1].port}"]})
        return changed

    def bytes_of(self, slot):
        """Bytes between this worker and home so far, both ports and directions."""
        return sum(proxy.total() for proxy in self.proxies[slot])

    def start_worker(self, slot, data=None, extra=(), token=None, env=None):
        site = slot.rsplit("-", 1)[0]
        if data is None:
            data = ({"golden/home": self.folder / "data/home/golden.csv"} if site == "home" else
                    {f"digits/{site}": self.folder / "data" / site / "train.csv"})
        arguments = [BINARY, "worker", "run", "--join", token or self.token(slot), "--state", self.folder / slot]
        for name, path in data.items():
            arguments += ["--data", f"{name}={path}"]
        worker = Process([*arguments, *extra], self.folder / f"{slot}.log", env)
        self.processes.append(worker)
        self.workers[slot] = worker
        return worker

    def live(self):
        done = self.call("worker", "list", "--json", "--state", self.home)
        rows = [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []
        return {row["slot"]: row for row in rows if row["live"] and row["shards"]}

    def wait_live(self, slots):
        """Until each of `slots` is live and its shards are on record."""
        def all_live():
            for slot in slots:
                if slot in self.workers and not self.workers[slot].alive:
                    raise AssertionError(f"{slot} ended: {self.workers[slot].text()[-2000:]}")
            return set(slots) <= set(self.live())
        wait_for(all_live, f"{slots} to be live; coordinator says: {self.coordinator.text()[-1500:]}")

    def start_all(self, slots=SLOTS, **options):
        self.start_coordinator()
        for slot in slots:
            self.start_worker(slot, **options)
        self.wait_live(slots)

    # ---- jobs ----

    def write_job(self, rounds=5, steps=1, minimum=4, target=4, optimizer="{none: {}}", codec="fp32", clip=None,
                  deadline="5m", evaluate=1, data="digits/*", trainer="softmax", model="base.safetensors", name="job.yaml"):
        path = self.folder / name
        path.write_text(JOB.format(
            rounds=rounds, steps=steps, minimum=minimum, target=target, optimizer=optimizer, codec=codec,
            deadline=deadline, data=data, trainer=trainer, model=model, clip=f", clip: {clip}" if clip else "",
            evaluate=f"evaluate: {{data: golden, at: home, every: {evaluate}}}" if evaluate else ""))
        return path

    def write_mlp(self, hidden, name="mlp.safetensors"):
        """A network of 75 x hidden + 10 parameters to start from: large enough to be seen on the wire."""
        self.run("trainer", "init", "mlp", "--features", 64, "--classes", 10, "--hidden", hidden, "--seed", 1, "--out",
                 self.folder / name)
        return (self.folder / name).stat().st_size

    def submit(self, job_file):
        return self.json("job", "submit", job_file)["job_id"]

    def status(self, job):
        return self.json("job", "status", job)

    def wait_ended(self, job, seconds=WAIT_SECONDS_MAX):
        def ended():
            done = self.call("job", "status", job, "--json", "--state", self.home)
            status = json.loads(done.stdout) if done.returncode == 0 else {}
            return status if status.get("state") in ("completed", "stopped") else None
        return wait_for(ended, Later(lambda: f"job {job} to end; the coordinator says: {self.coordinator.text()[-1500:]}"),
                        seconds)

    def train(self, seconds=WAIT_SECONDS_MAX, **job):
        """Submits a job and waits for its end; (job id, its status)."""
        job_id = self.submit(self.write_job(**job))
        status = self.wait_ended(job_id, seconds)
        if status["state"] != "completed":
            raise AssertionError(f"{job_id} was not completed: {status}")
        return job_id, status

    def export(self, job, name="out"):
        out = self.folder / name
        self.run("job", "export", job, "--out", out, "--state", self.home)
        return out

    def verify(self, out):
        return self.call("manifest", "verify", out / "model.safetensors", "--manifest", out / "model.carnet", "--trust",
                         out / "trust.policy", "--json")

    # ---- the ledger ----

    def records(self, job=None):
        """Every durable record, or those of one job: {"index", "type", "predicate"}. Read from the store itself."""
        return [r for r in read_records(self.home / "ledger.db") if job is None or r["predicate"].get("job_id") == job]

    def records_of(self, kind, job=None):
        return [r for r in self.records(job) if r["type"] == kind]

    def worker_ids(self):
        return {r["predicate"]["slot"]: r["predicate"]["worker_id"] for r in self.records_of("worker-enrolled")}


def check_ledger(home, folder):
    """The store itself, and the whole log as an outsider gets it: both must be good. Raises what is wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    for arguments in (("fsck", "--state", home), ("trust", "--state", home, "--out", folder / "trust"),
                      ("export", "--state", home, "--tiles", folder / "log", "--statements"),
                      ("verify", folder / "log", "--trust", folder / "trust/trust.policy")):
        done = subprocess.run([str(BINARY), "ledger", *map(str, arguments)], capture_output=True, text=True,
                              timeout=WAIT_SECONDS_MAX)
        if done.returncode != 0:
            raise AssertionError(f"ledger {arguments[0]}: exit {done.returncode}: {done.stdout}{done.stderr}")


class Later:
    """A text that is made when it is needed."""

    def __init__(self, make):
        self.make = make

    def __str__(self):
        return self.make()


def read_records(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as store:
        rows = store.execute("SELECT idx, statement FROM records ORDER BY idx").fetchall()
    store.close()
    records = []
    for index, statement in rows:
        parsed = json.loads(statement)
        kind = parsed["predicateType"].removeprefix("urn:carnet:").rsplit(":", 1)[0]
        records.append({"index": index, "type": kind, "predicate": parsed["predicate"]})
    return records


def read_token(path):
    """The claims of a join token: base64url of canonical JSON."""
    text = Path(path).read_text().strip()
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def write_token(path, claims):
    canonical = json.dumps(claims, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    path = Path(path)
    path.touch(mode=0o600)
    path.write_text(base64.urlsafe_b64encode(canonical).decode().rstrip("=") + "\n")


class FederationTest(unittest.TestCase):
    """One federation for all tests of a class; a failing one leaves its folder and says where."""

    options = {}
    good = True

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="carnet-e2e-"))
        cls.federation = Federation(cls.folder, **cls.options)
        cls.addClassCleanup(cls.tear_down)

    @classmethod
    def tear_down(cls):
        cls.federation.close()
        if cls.good:
            shutil.rmtree(cls.folder, ignore_errors=True)
        else:
            say(f"the state is in {cls.folder}")

    def call_as(self, person, *arguments, seconds=120):
        """As one of the people that `carnet init` enrolled."""
        folder = self.federation.home / ("operator" if person == "operator" else f"people/{person}")
        return self.federation.call(*arguments, env={"CARNET_CONTEXT": str(folder / "context.yaml")}, seconds=seconds)

    def run_as(self, person, *arguments):
        done = self.call_as(person, *arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        type(self).good = type(self).good and len(result.failures) + len(result.errors) == before
        return result
