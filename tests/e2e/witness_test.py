#!/usr/bin/python3
"""A coordinator with three real witnesses and a quorum of two: heads are published by their cosignatures, appends go on
without them, rounds wait, and a history that contradicts what a witness cosigned is refused by it and at the start."""

import hashlib
import json
import shutil
import ssl
import unittest
import urllib.error
import urllib.request

from federation import BINARY, FederationTest, Process, free_port, say, wait_for

MISBEHAVIOUR = 4
NAMES = ("w1", "w2", "w3")
CONFIG = """heartbeat: 1s
task_poll_max: 1s
start_grace: 3s
publish: {{policy: {policy}, period: 10m, lag_max: {lag_max}, timeout: 3s}}
"""


def fetch(url, body=None):
    """(status, content type, body) of an HTTP request."""
    request = urllib.request.Request(url, data=body)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, timeout=20, context=context if url.startswith("https") else None) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


class Witnesses(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.run("ledger", "trust", "--state", federation.home, "--out", cls.folder / "trust")
        cls.vkey = federation.run("ledger", "show", "0", "--vkey", "--state", federation.home).strip()
        cls.origin = cls.vkey.split("+")[0]
        cls.ports = {name: free_port() for name in NAMES}
        cls.vkeys = {}
        for name in NAMES:
            made = federation.run("witness", "init", "--state", cls.folder / name, "--name", f"{name}.test/w",
                                  "--log", cls.vkey, "--json")
            cls.vkeys[name] = json.loads(made)["vkey"]
        cls.running = {name: cls.start_witness(name) for name in NAMES}
        cls.policy = cls.write_policy("witnesses.policy", cls.vkeys)
        federation.configure(CONFIG.format(policy="witnesses.policy", lag_max="1h"))
        federation.start_all(("fr-1", "sg-1"))

    @classmethod
    def start_witness(cls, name):
        process = Process([BINARY, "witness", "run", "--state", cls.folder / name, "--listen",
                           f"127.0.0.1:{cls.ports[name]}"], cls.folder / f"{name}.log")
        cls.federation.processes.append(process)
        wait_for(lambda: cls.answers(name), f"{name} to be ready")
        return process

    @classmethod
    def answers(cls, name):
        try:
            return fetch(f"http://127.0.0.1:{cls.ports[name]}/healthz")[0] == 200
        except OSError:
            return False

    @classmethod
    def write_policy(cls, name, vkeys):
        lines = "".join(f"witness {w} {vkeys[w]} http://127.0.0.1:{cls.ports[w]}\n" for w in NAMES)
        text = (cls.folder / "trust/trust.policy").read_text().replace(
            "quorum none", f"{lines}group two 2 {' '.join(NAMES)}\nquorum two")
        path = cls.federation.home / name
        path.write_text(text)
        return path

    def published_size(self):
        path = self.federation.home / "published"
        text = path.read_text() if path.exists() else ""
        return int(text.splitlines()[1]) if text else 0

    def wait_published(self):
        size = len(self.federation.records())
        wait_for(lambda: self.published_size() >= size, f"{size} records to be published")

    def metric(self, name):
        text = fetch(f"https://127.0.0.1:{self.federation.https}/metrics")[2]
        values = [line.split()[-1] for line in text.splitlines() if line.startswith(name + " ")]
        return float(values[0]) if values else None

    def monitored(self, name):
        origin = hashlib.sha256(self.origin.encode()).hexdigest()
        return fetch(f"http://127.0.0.1:{self.ports[name]}/{origin}/checkpoint")

    def test_1_a_quorum_publishes_and_everything_handed_out_carries_its_cosignatures(self):
        federation = self.federation
        job, _ = federation.train(rounds=1, minimum=2, target=2, evaluate=0)
        self.wait_published()
        out = federation.export(job)
        done = federation.call("manifest", "verify", out / "model.safetensors", "--manifest", out / "model.carnet",
                               "--trust", self.policy)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("operator only", done.stdout)
        log = self.folder / "log"
        federation.run("ledger", "export", "--state", federation.home, "--tiles", log)
        done = federation.call("ledger", "verify", log, "--trust", self.policy)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreaterEqual(done.stdout.count("cosigned by w"), 2)
        proofs = self.folder / "proofs"
        federation.run("ledger", "export", "--state", federation.home, "--tlog-proof", proofs, "--index", 3)
        shown = json.loads(federation.run("ledger", "show", 3, "--json", "--state", federation.home))
        verify = ("ledger", "verify-proof", proofs / "record-000003.tlog-proof", "--trust", self.policy, "--json")
        good = json.loads(federation.run(*verify, "--record", proofs / "record-000003.dsse.json", "--signer", shown["signer"]))
        self.assertEqual((good["index"], good["operator_only"], good["leaf_hash"]), (3, False, shown["leaf_hash"]))
        self.assertGreaterEqual(len(good["cosigned"]), 2)
        other = json.loads(federation.run("ledger", "show", 4, "--json", "--state", federation.home))
        self.assertEqual(federation.call(*verify, "--leaf", other["leaf_hash"]).returncode, 1)
        # The worker knows that its receipts are covered.
        receipts = [int(p.name.split(".")[0]) for p in (self.folder / "fr-1/receipts").glob("*.tlog-proof")]
        wait_for(lambda: int((self.folder / "fr-1/published").read_text().splitlines()[1]) > max(receipts),
                 "the worker's receipts to be covered")
        say(f"published {self.published_size()} records; {done.stdout.splitlines()[:4]}")

    def test_2_without_the_quorum_nothing_is_published_appends_go_on_and_rounds_wait(self):
        federation = self.federation
        federation.coordinator.stop()
        federation.configure(CONFIG.format(policy="witnesses.policy", lag_max="1s"))
        federation.start_coordinator()
        federation.wait_live(("fr-1", "sg-1"))
        self.wait_published()
        self.running["w1"].stop()
        self.running["w2"].kill()
        published, records = self.published_size(), len(federation.records())
        job = federation.submit(federation.write_job(rounds=1, minimum=2, target=2, evaluate=0))
        federation.run("worker", "invite", "fr-7", "--region", "fr", "--state", federation.home)
        wait_for(lambda: self.metric("carnet_ledger_publish_lag_seconds") > 1, "the lag to pass a second")
        self.assertGreater(len(federation.records()), records)
        self.assertEqual(self.published_size(), published)
        self.assertEqual(self.metric("carnet_ledger_published_size_records"), published)
        second = federation.submit(federation.write_job(rounds=1, minimum=2, target=2, evaluate=0))
        wait_for(lambda: "witnesses" in json.dumps(federation.status(second)), "a job to wait for `witnesses`")
        self.running["w1"] = self.start_witness("w1")
        self.running["w2"] = self.start_witness("w2")
        for each in (job, second):
            self.assertEqual(federation.wait_ended(each)["state"], "completed")
        self.wait_published()

    def test_3_another_history_is_refused_by_witnesses_and_at_the_start(self):
        federation = self.federation
        federation.coordinator.stop()
        old = self.folder / "old"
        shutil.copytree(federation.home, old)
        federation.start_coordinator()
        federation.run("worker", "invite", "fr-8", "--region", "fr", "--state", federation.home)
        self.wait_published()
        federation.coordinator.stop()
        for worker in federation.workers.values():
            worker.kill()
        honest = self.monitored("w1")[2]
        # The copy goes on by itself, without witnesses, and tells another story.
        shutil.move(federation.home, self.folder / "honest")
        shutil.move(old, federation.home)
        federation.configure("heartbeat: 1s\nstart_grace: 1s\n")
        federation.start_coordinator()
        size = int(honest.splitlines()[1])
        while len(federation.records()) <= size:
            slot = f"br-{len(federation.records())}"
            federation.run("worker", "invite", slot, "--region", "br", "--state", federation.home)
        federation.coordinator.stop()
        forked = (federation.home / "head").read_text()
        add = f"http://127.0.0.1:{self.ports['w1']}/add-checkpoint"
        conflict = fetch(add, f"old 0\n\n{forked}".encode())
        self.assertEqual((conflict[0], conflict[1], conflict[2]), (409, "text/x.tlog.size", f"{size}\n"))
        self.assertEqual(fetch(add, f"old {size}\n\n{forked}".encode())[0], 422)
        self.assertEqual(fetch(add, b"old 1\n")[0], 400)
        self.assertEqual(self.monitored("w1")[2], honest)
        # With its witnesses again it does not start.
        federation.configure(CONFIG.format(policy="witnesses.policy", lag_max="1h"))
        records = len(federation.records())
        coordinator = federation.start_coordinator(expect_ready=False)
        wait_for(lambda: not coordinator.alive, "the coordinator to end")
        self.assertEqual(coordinator.process.returncode, MISBEHAVIOUR, coordinator.text()[-2000:])
        self.assertEqual(len(federation.records()), records)
        # Both heads are kept for whoever asks why.
        evidence = list(federation.home.glob("fork-*.tlog-fork"))
        self.assertEqual(len(evidence), 1)
        self.assertIn(honest.split("\n\n")[0], evidence[0].read_text())
        self.assertIn(forked.split("\n\n")[0], evidence[0].read_text())
        shutil.rmtree(federation.home)
        shutil.move(self.folder / "honest", federation.home)

    def test_4_a_witness_with_another_key_than_the_policy_says_does_not_count(self):
        federation = self.federation
        # w2's place is taken by w3's key and the other way round: their lines are of other names.
        swapped = {"w1": self.vkeys["w1"], "w2": self.vkeys["w3"], "w3": self.vkeys["w2"]}
        self.write_policy("swapped.policy", swapped)
        federation.configure(CONFIG.format(policy="swapped.policy", lag_max="1h"))
        before = federation.coordinator.text().count("publish.policy_not_met")
        coordinator = federation.start_coordinator()
        federation.run("worker", "invite", "fr-6", "--region", "fr", "--state", federation.home)
        wait_for(lambda: coordinator.text().count("publish.policy_not_met") >= before + 2, "two tries to fail")
        self.assertLess(self.published_size(), len(federation.records()))
        federation.coordinator.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
