#!/usr/bin/python3
"""A refusal in each kind of flow, end to end: what three readers see of it, and that nothing crossed.

The rules are in policies/refusals/, one a flow. Each case runs into one of them in a real federation whose workers
reach home through proxies that count bytes. Then, for that refusal:

- what the ML team sees (live while the job runs, or of the command that is refused), the officer and the auditor is
  compared with golden/<flow>.txt; CARNET_UPDATE_GOLDEN=1 writes these files anew
- the two commands that the auditor's text names are run as they stand there, and must derive the same verdict
- the bytes between the refused worker and home stay far below the size of what would have crossed, while the same
  payload is seen at a worker that was allowed
"""

import json
import re
import unittest
from pathlib import Path

from federation import ROOT, FederationTest, say, wait_for
from views import Views

HERE = Path(__file__).resolve().parent
# Polls, heads, proofs and records of half a minute; a payload is more than ten times as large.
CONTROL_BYTES_MAX = 100_000
HIDDEN = 4096
ARCHIVE_ROWS = 12_000

FEDERATION = """
federation: refusals
home: {{jurisdiction: DE, organisation: acme}}
trust_domain: refusals.acme.example
listen: {{grpc: "127.0.0.1:{grpc}", https: "127.0.0.1:{https}"}}
policies: """ + str(HERE / "policies/refusals") + """
people:
  operator: {{roles: [admin, operator]}}
  mia: {{roles: [member]}}
  olga: {{roles: [compliance]}}
  cleo: {{roles: [compliance]}}
  luis: {{roles: [legal]}}
  dora: {{roles: [dpo]}}
  dirk: {{roles: [dpo]}}
  sam: {{roles: [data-steward]}}
  aino: {{roles: [auditor]}}
suppliers:
  gaul: {{organised_in: FR, ultimate_parent: FR, certifications: [iso-27001]}}
  lion: {{organised_in: SG, ultimate_parent: SG, certifications: [none]}}
regions:
  fr: {{jurisdictions: [FR], supplier: gaul, location_evidence: contract}}
  sg: {{jurisdictions: [SG], supplier: lion, location_evidence: contract}}
workers:
  fr-1: {{region: fr}}
  sg-1: {{region: sg}}
datasets:
  digits:
    labels: {{categories: [none]}}
    shards:
      fr: {{stored_in: fr, rows: {rows[fr]}}}
      sg: {{stored_in: sg, rows: {rows[sg]}}}
  archive:
    labels: {{categories: [personal, home_only]}}
    shards:
      fr: {{subjects_in: [FR], stored_in: fr, rows: """ + str(ARCHIVE_ROWS) + """}}
"""

def notices(text):
    """The refusals among the lines of `carnet job submit --watch`, with what is indented below them."""
    kept, keeping = [], False
    for line in text.splitlines():
        keeping = line.startswith("refused") or (keeping and line.startswith("  "))
        if keeping:
            kept.append(line)
    return "\n".join(kept) + "\n"


class Refusals(Views, FederationTest):
    options = {"federation": FEDERATION, "heartbeat": "10s"}
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        rows = (ROOT / "examples/digits/digits.csv").read_text().splitlines()
        archive = federation.folder / "archive.csv"
        archive.write_text("".join(rows[i % len(rows)] + "\n" for i in range(ARCHIVE_ROWS)))
        cls.archive_bytes = archive.stat().st_size
        cls.model_bytes = federation.write_mlp(HIDDEN)
        assert min(cls.archive_bytes, cls.model_bytes) > 10 * CONTROL_BYTES_MAX
        federation.start_coordinator()
        more = {"fr": {"archive/fr": archive}}
        for site in ("fr", "sg"):
            federation.start_worker(f"{site}-1", token=federation.through_proxy(f"{site}-1"), data={
                f"digits/{site}": federation.folder / "data" / site / "train.csv", **more.get(site, {})})
        federation.wait_live(("fr-1", "sg-1"))
        cls.ids = federation.worker_ids()

    # ---- people ----

    def job_file(self, purpose, minimum=1):
        path = self.federation.write_job(rounds=1, minimum=minimum, target=2, trainer="mlp", model="mlp.safetensors",
                                         evaluate=0, name=f"{purpose}.yaml")
        text = path.read_text()
        assert "purpose: digit-recognition" in text
        path.write_text(text.replace("purpose: digit-recognition", f"purpose: {purpose}"))
        return path

    def totals(self, slot):
        proxies = self.federation.proxies[slot]
        return {way: sum(proxy.totals()[way] for proxy in proxies) for way in ("up", "down")}

    def assert_nothing_crossed(self, slot, before, payload, what):
        now = self.totals(slot)
        moved = {way: now[way] - before[way] for way in now}
        say(f"{what}: {moved['down']} B to {slot}, {moved['up']} B from it; the payload has {payload} B")
        for way in moved:
            self.assertLess(moved[way], CONTROL_BYTES_MAX, f"{what}, {way}")

    def run_job(self, flow, purpose):
        """A job whose worker in Singapore is refused; the one in France goes on and ends it."""
        before = {slot: self.totals(slot) for slot in self.ids}
        done = self.call_as("mia", "job", "submit", self.job_file(purpose), "--watch", seconds=240)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        job = re.search(r"\bj-[a-z2-7]{16}\b", done.stdout).group(0)
        opened = self.federation.records_of("round-opened", job)
        self.assertEqual([[m["worker_id"] for m in r["predicate"]["members"]] for r in opened], [[self.ids["fr-1"]]])
        self.assert_nothing_crossed("sg-1", before["sg-1"], self.model_bytes, f"{flow}, refused")
        moved = self.totals("fr-1")["down"] - before["fr-1"]["down"]
        self.assertGreater(moved, self.model_bytes, "the same model is seen where it was allowed")
        self.check_views(flow, notices(done.stdout), flow, job)

    # ---- the flows ----

    def test_place(self):
        self.run_job("place", "payroll")

    def test_train(self):
        self.run_job("train", "clinical")

    def test_send_model(self):
        self.run_job("send_model", "forecasting")

    def test_use_key(self):
        self.run_job("use_key", "weights")

    def test_send_delta(self):
        self.run_job("send_delta", "surveys")

    def test_send_metrics(self):
        self.run_job("send_metrics", "trials")

    def test_a_rule_that_only_warns_says_so_before_the_job_is_submitted(self):
        warning = "  warning, decides nothing: place (job to Singapore (SG)): forbidden: Jobs on drafts are announced to"
        checked = self.call_as("mia", "job", "check", self.job_file("drafts"))
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertEqual(checked.stdout.count("warning, decides nothing"), 1, checked.stdout)
        self.assertIn(warning, checked.stdout)
        self.assertIn("\n    Fix: Announce the job.\n", checked.stdout)
        regions = list(map(json.loads, self.call_as("mia", "job", "check", self.job_file("drafts"), "--json").stdout.splitlines()))
        self.assertEqual({(region["region"], warning["reason"]) for region in regions for decision in region["decisions"]
                          for warning in decision["warnings"]}, {("sg", "abroad/drafts-are-announced")})
        watched = self.call_as("mia", "job", "submit", self.job_file("drafts", minimum=2), "--watch", seconds=240)
        self.assertEqual(watched.returncode, 0, watched.stdout + watched.stderr)
        self.assertEqual(watched.stdout.count("warning, decides nothing: Jobs on drafts are announced to the works council."), 1)

    def test_stage_data(self):
        federation = self.federation
        before = {slot: self.totals(slot) for slot in self.ids}
        done = self.call_as("operator", "data", "stage", "archive/fr", "--to", "sg-1", "--wait")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(federation.records_of("staging-ordered"), [])
        for slot in self.ids:
            self.assert_nothing_crossed(slot, before[slot], self.archive_bytes, "stage_data, refused")
        self.check_views("stage_data", done.stdout, "stage_data")

    def test_aggregate(self):
        """Decided when the round closes, on what came: the deltas are at home, and no model comes of them."""
        federation = self.federation
        start = {slot: self.totals(slot) for slot in self.ids}
        done = self.call_as("mia", "job", "submit", self.job_file("polls", minimum=2), "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        job = json.loads(done.stdout)["job_id"]
        wait_for(lambda: federation.records_of("round-abandoned", job), "the round to be abandoned", 240)
        team = self.call_as("mia", "policy", "refusals", "--job", job)
        self.assertEqual(team.returncode, 0, team.stderr)
        # No other model comes of it: nothing of a model's size moves to anybody while the job waits, nor when it ends.
        before = {slot: self.totals(slot) for slot in self.ids}
        wait_for(lambda: federation.status(job)["state"] == "waiting", "the job to wait for other facts or rules")
        stopped = self.call_as("mia", "job", "stop", job)
        self.assertEqual(stopped.returncode, 0, stopped.stderr)
        for slot in self.ids:
            self.assert_nothing_crossed(slot, before[slot], self.model_bytes, "aggregate, refused")
            moved = self.totals(slot)["down"] - start[slot]["down"]
            self.assertGreater(moved, self.model_bytes, "the round's model")
            self.assertLess(moved, 2 * self.model_bytes, "and no other")
        self.assertEqual(federation.records_of("aggregate", job), [])
        self.assertEqual(len(federation.records_of("contribution", job)), 2)
        ordered = {key for r in federation.records_of("key-destruction-ordered") for key in r["predicate"]["key_ids"]}
        created = {r["predicate"]["key_id"] for r in federation.records_of("key-created", job)}
        self.assertTrue(created)
        self.assertTrue(created <= ordered, "the keys of the deltas go")
        self.check_views("aggregate", re.sub(r"^\[\d+\] ", "", team.stdout, flags=re.M), "aggregate", job)


if __name__ == "__main__":
    unittest.main(verbosity=2)
