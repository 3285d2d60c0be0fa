#!/usr/bin/python3
"""Nothing crosses undecided: what the policies of examples/digits deny moves no payload byte.

Each worker reaches home through a proxy that counts. A model, a sealed delta and a shard have more than a megabyte;
polls, heads and refusals stay far below. That the same payload shows when it is allowed is part of each test.
"""

import datetime
import signal
import unittest

from federation import ROOT, SITES, SLOTS, FederationTest, say, wait_for

# Polls of a few minutes, each with claims, head and proof. A task that is fetched and then refused adds its records.
CONTROL_BYTES_MAX = 100_000
PAYLOAD_BYTES_MIN = 1_000_000
HIDDEN = 4096
ARCHIVE_ROWS = 12_000


def demo_federation():
    """examples/digits/federation.yaml with free ports, a large shard in France, and one about health in the Emirates."""
    text = (ROOT / "examples/digits/federation.yaml").read_text().replace("{", "{{").replace("}", "}}")
    assert "  golden:\n" in text
    text = text.replace("  golden:\n", f"""\
  archive:
    labels: {{{{categories: [personal]}}}}
    shards:
      fr: {{{{subjects_in: [FR], stored_in: fr, rows: {ARCHIVE_ROWS}}}}}
  clinic:
    labels: {{{{categories: [personal, health]}}}}
    shards:
      ae: {{{{subjects_in: [AE], stored_in: ae, rows: 359}}}}
  golden:
""")
    return text + 'listen: {{grpc: "127.0.0.1:{grpc}", https: "127.0.0.1:{https}"}}\n'


class NothingCrosses(FederationTest):
    options = {"federation": demo_federation(), "heartbeat": "10s"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        rows = (ROOT / "examples/digits/digits.csv").read_text().splitlines()
        archive = federation.folder / "archive.csv"
        archive.write_text("".join(rows[i % len(rows)] + "\n" for i in range(ARCHIVE_ROWS)))
        cls.archive_bytes = archive.stat().st_size
        cls.model_bytes = federation.write_mlp(HIDDEN)
        assert min(cls.archive_bytes, cls.model_bytes) > PAYLOAD_BYTES_MIN
        more = {"fr": {"archive/fr": archive}, "ae": {"clinic/ae": federation.folder / "data/ae/train.csv"}}
        federation.start_coordinator()
        federation.start_worker("home-1")
        for site in SITES:
            federation.start_worker(f"{site}-1", token=federation.through_proxy(f"{site}-1"), data={
                f"digits/{site}": federation.folder / "data" / site / "train.csv", **more.get(site, {})})
        federation.wait_live(SLOTS)
        cls.ids = federation.worker_ids()
        cls.job = {"rounds": 3, "minimum": 2, "target": 4, "trainer": "mlp", "model": "mlp.safetensors", "evaluate": 0}

    def add_evidence(self, kind, recipient, place):
        document = self.federation.folder / f"{kind}-{recipient}.txt"
        document.write_text(f"{kind} of acme and {recipient}\n")
        today = datetime.datetime.now(datetime.timezone.utc).date()
        return self.federation.json("evidence", "add", "--kind", kind, "--recipient", recipient, "--to", place, "--document",
                                    document, "--from", today, "--until", today + datetime.timedelta(days=30))["evidence_id"]

    def withdraw(self, evidence):
        self.federation.run("evidence", "withdraw", evidence, "--state", self.federation.home)

    def refusals(self, slot, operation, job=None):
        """Reasons of the refusals on record for that worker and operation."""
        return {failure["reason"] for r in self.federation.records_of("refusal", job)
                if r["predicate"].get("worker_id") == self.ids[slot]
                for decision in r["predicate"]["decisions"] if decision["flow"]["operation"] == f"OPERATION_{operation}"
                for failure in decision.get("failures", ())}

    def members(self, job):
        """Slots of each round of the job."""
        slots = {worker: slot for slot, worker in self.ids.items()}
        return {r["predicate"]["round"]: {slots[m["worker_id"]] for m in r["predicate"]["members"]}
                for r in self.federation.records_of("round-opened", job)}

    def assert_only_control(self, slot, before, what):
        moved = self.federation.bytes_of(slot) - before
        say(f"{what}: {moved} B between {slot} and home")
        self.assertLess(moved, CONTROL_BYTES_MAX)

    def assert_payload(self, slot, before, what):
        moved = self.federation.bytes_of(slot) - before
        say(f"{what}: {moved} B between {slot} and home")
        self.assertGreater(moved, PAYLOAD_BYTES_MIN)

    def test_1_a_model_that_learned_from_people_in_france_does_not_go_to_the_emirates(self):
        federation = self.federation
        papers = [self.add_evidence(kind, "lion", "SG") for kind in ("scc-2021-914", "tia")]
        before = {slot: federation.bytes_of(slot) for slot in SLOTS[1:]}
        job = federation.submit(federation.write_job(**self.job))
        wait_for(lambda: federation.records_of("aggregate", job), "the aggregate of round 1", 240)
        after_first = {slot: federation.bytes_of(slot) for slot in SLOTS[1:]}
        status = federation.wait_ended(job, 240)
        self.assertEqual(status["state"], "completed", status)
        # The first model has seen nobody: it goes to every place that somebody vouches for.
        self.assertEqual(self.members(job), {1: {"fr-1", "sg-1", "ae-1"}, 2: {"fr-1", "sg-1"}, 3: {"fr-1", "sg-1"}})
        self.assert_payload("ae-1", before["ae-1"], "round 1, allowed")
        self.assertIn("gdpr-chapter-v/no-allow", self.refusals("ae-1", "SEND_MODEL", job))
        self.assert_only_control("ae-1", after_first["ae-1"], "rounds 2 and 3, send_model denied")
        self.assert_payload("sg-1", after_first["sg-1"], "rounds 2 and 3, with clauses and assessment")
        # Nobody but the worker itself says where this one stands.
        self.assertIn("house/place-is-known", self.refusals("br-1", "SEND_MODEL", job) | self.refusals("br-1", "PLACE", job))
        self.assert_only_control("br-1", before["br-1"], "a place that is only claimed")
        type(self).trained = federation.export(job) / "model.safetensors"
        type(self).papers = papers

    def test_2_papers_that_go_before_the_first_byte_stop_it(self):
        """Decided when the round opened, and again at the first byte."""
        federation = self.federation
        job_file = {**self.job, "rounds": 1, "minimum": 1, "model": "out/model.safetensors", "data": "digits/sg"}
        before = federation.bytes_of("sg-1")
        worker = federation.workers["sg-1"]
        self.addCleanup(lambda: worker.alive and worker.send(signal.SIGCONT))
        worker.send(signal.SIGSTOP)
        job = federation.submit(federation.write_job(**job_file))
        wait_for(lambda: self.members(job) == {1: {"sg-1"}}, "the round to open while the papers hold")
        self.withdraw(self.papers[1])
        worker.send(signal.SIGCONT)
        wait_for(lambda: "gdpr-chapter-v/safeguards.tia" in self.refusals("sg-1", "SEND_MODEL", job), "the refusal")
        federation.run("job", "stop", job, "--state", federation.home)
        self.assert_only_control("sg-1", before, "the assessment is withdrawn before the first byte")
        # And with the papers it moves.
        self.papers[1] = self.add_evidence("tia", "lion", "SG")
        job, _ = federation.train(**job_file)
        self.assertEqual(self.members(job), {1: {"sg-1"}})
        self.assert_payload("sg-1", before, "with the assessment")

    def test_3_a_delta_of_health_data_does_not_leave_the_emirates(self):
        federation = self.federation
        before = federation.bytes_of("ae-1")
        job_file = federation.write_job(**{**self.job, "rounds": 1, "minimum": 1, "data": "clinic/ae"})
        job = federation.submit(job_file)
        wait_for(lambda: self.refusals("ae-1", "SEND_DELTA", job), "the refusal")
        self.assertIn("ae-pdpl/health-stays", self.refusals("ae-1", "SEND_DELTA", job))
        status = wait_for(lambda: (s := federation.status(job))["state"] == "waiting" and s, "the job to say that it waits")
        say(f"the job waits for: {status['waiting_for']}")
        federation.run("job", "stop", job, "--state", federation.home)
        self.assertEqual(self.members(job), {})
        self.assert_only_control("ae-1", before, "send_delta denied")

    def test_4_raw_data_of_people_in_france_is_not_staged_to_singapore(self):
        federation = self.federation
        before = {slot: federation.bytes_of(slot) for slot in ("fr-1", "sg-1")}
        done = federation.call("data", "stage", "archive/fr", "--to", "sg-1", "--wait", "--state", federation.home)
        say(done.stdout.strip())
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("send the job, not the data", done.stdout)
        recorded = [r for r in federation.records_of("refusal") for d in r["predicate"]["decisions"]
                    if d["flow"]["operation"] == "OPERATION_STAGE_DATA" for f in d.get("failures", ())
                    if f["reason"] == "raw-data-stays/in-the-eea"]
        self.assertTrue(recorded)
        self.assertEqual(federation.records_of("staging-ordered"), [])
        # Long enough for a shard to move, if it did: the allowed movement of the same shard, to Germany.
        staged = federation.call("data", "stage", "archive/fr", "--to", "home-1", "--wait", "--state", federation.home)
        self.assertEqual(staged.returncode, 0, staged.stdout + staged.stderr)
        self.assertEqual(len(federation.records_of("staging-ordered")), 1)
        self.assert_payload("fr-1", before["fr-1"], "staged to Germany")
        self.assertLess(federation.bytes_of("fr-1") - before["fr-1"], self.archive_bytes * 1.5)  # once, not twice
        self.assert_only_control("sg-1", before["sg-1"], "stage_data to Singapore denied")
        copy = federation.folder / "home-1/shards/archive/fr"
        self.assertEqual(copy.read_bytes(), (federation.folder / "archive.csv").read_bytes())


if __name__ == "__main__":
    unittest.main(verbosity=2)
