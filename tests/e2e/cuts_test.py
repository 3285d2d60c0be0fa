#!/usr/bin/python3
"""What is moving stops when what allowed it no longer does: a bundle that forbids the flow is activated, a shard is
withdrawn, a worker is revoked; and what goes to a person as well. Each cuts the stream within one heartbeat and says on
record how much had crossed. And a worker that has the sealed model already gets no key to it any more.

Each worker reaches home through a proxy that counts and can be slow, so that the change comes in the middle.
"""

import datetime
import json
import re
import ssl
import unittest
import urllib.request

from federation import BINARY, SITES, FederationTest, Process, say, wait_for

HEARTBEAT_SECONDS = 4
HIDDEN = 32768  # of the network: about 9.8 MB
RATE = 700_000  # bytes a second through a slow proxy: the model takes 14 s
UNDER_WAY_BYTES = 1 << 20
STEPS_WITHOUT_END = 1_000_000  # the most that a job may ask for

# No model goes to falcon, at AE, without an assessment.
PAPERS = """
policy: papers
kind: guardrail
title: Models go to falcon with an assessment only
approvals: {propose: [compliance], need: 1, from: [legal]}
effective: {from: 2026-01-01}
review: {by: 2027-06-30}
mode: enforce
rules:
  - id: falcon
    effect: require
    when: {artifact.kind: {is: model}, recipient.org: {is: falcon}}
    require:
      - {id: assessed, check: {evidence: {has: tia}}, fix: "Have legal assess the law of the place."}
"""


def moment(record):
    return datetime.datetime.fromisoformat(record["predicate"]["common"]["at"].replace("Z", "+00:00"))


class Cuts(FederationTest):
    options = {"heartbeat": f"{HEARTBEAT_SECONDS}s", "policies": {"papers.yaml": PAPERS}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        cls.model_bytes = federation.write_mlp(HIDDEN)
        federation.start_coordinator()
        for site in SITES:
            federation.start_worker(f"{site}-1", token=federation.through_proxy(f"{site}-1"))
        federation.wait_live([f"{site}-1" for site in SITES])
        cls.paper = cls.assess_falcon()
        cls.ids = federation.worker_ids()
        cls.job = {"rounds": 1, "minimum": 1, "target": 4, "trainer": "mlp", "model": "mlp.safetensors", "evaluate": 0}

    @classmethod
    def assess_falcon(cls):
        today = datetime.datetime.now(datetime.timezone.utc).date()
        return cls.federation.json("evidence", "add", "--kind", "tia", "--recipient", "falcon", "--to", "AE", "--document",
                                   cls.federation.federation_file, "--from", today, "--until",
                                   today + datetime.timedelta(days=30))["evidence_id"]

    def proxy(self, slot):
        return self.federation.proxies[slot][0]

    def slow(self, slot, direction):
        self.proxy(slot).pace(direction, RATE)
        self.addCleanup(self.proxy(slot).pace, direction, None)

    def spooled(self, folder):
        """Bytes of each transfer that is under way into that state folder."""
        return [path.stat().st_size for path in (self.federation.folder / folder / "spool").glob("*.spool")]

    def cut_of(self, slot, job):
        cuts = [r for r in self.federation.records_of("transfer-cut", job)
                if r["predicate"]["worker_id"] == self.ids[slot]]
        return cuts[0] if cuts else None

    def metrics(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(f"https://127.0.0.1:{self.federation.https}/metrics", context=context, timeout=10) as page:
            return page.read().decode()

    def repeated_refusals(self, operation):
        counted = re.search(rf'^carnet_refusals_repeated_total{{operation="{operation}"}} (\d+)$', self.metrics(), re.M)
        return int(counted[1]) if counted else 0

    def events(self, slot, name):
        lines = [json.loads(line) for line in self.federation.workers[slot].text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def started(self, slot, job):
        return len([line for line in self.events(slot, "task-started") if f"/{job}/" in line["task"]])

    def last_task_ended(self, slot):
        ended = self.events(slot, "task-ended")
        return ended[-1] if ended else None

    def forbid(self, rule):
        """A bundle with one more deny rule of the house; it only tightens, so its author's signature is enough."""
        house = self.federation.folder / "policies/house.yaml"
        house.write_text(house.read_text() + f"  - {{id: {rule[0]}, effect: deny, when: {{{rule[1]}: {{is: {rule[2]}}}}}}}\n")
        said = self.federation.run("policy", "propose", self.federation.folder / "policies", "--state", self.federation.home)
        self.assertIn("it only tightens", said)

    def assert_cut(self, slot, job, direction, reason, cause_type, start):
        """The record says what happened, within one heartbeat of what caused it; the worker gave up, and nothing of it
        is in the round. `start`: what its proxy had counted that way before the transfer began."""
        federation = self.federation
        cut = wait_for(lambda: self.cut_of(slot, job), f"the {direction} of {slot} to be cut", 3 * HEARTBEAT_SECONDS)
        predicate = cut["predicate"]
        crossed = int(predicate["bytes_crossed"])
        way = "up" if direction == "upload" else "down"
        cause = [r for r in federation.records_of(cause_type) if r["index"] < cut["index"]][-1]
        delay = (moment(cut) - moment(cause)).total_seconds()
        say(f"{slot}: {direction} cut after {crossed} of {self.model_bytes} B: {predicate['reason']}, {delay:.3f} s after "
            f"{cause_type}")
        self.assertEqual(predicate["direction"], direction)
        self.assertEqual(predicate["reason"], reason)
        self.assertLessEqual(delay, HEARTBEAT_SECONDS)
        self.assertGreater(crossed, 0)
        self.assertLess(crossed, self.model_bytes)
        if reason == "refused":
            self.assertIn("VERDICT_DENY", {d["verdict"] for d in predicate["decisions"]})
        task = f"train/{job}/{predicate['round']}/{predicate['attempt']}"
        # The worker heard of it while its proxy was as slow as before, and gave the task up.
        # What the proxy holds already takes up to the whole model's 14 s.
        wait_for(lambda: not federation.workers[slot].alive or
                 (self.last_task_ended(slot) or {"task": ""})["task"] == task,
                 f"{slot} to give its task up", 10 * HEARTBEAT_SECONDS)
        self.proxy(slot).pace(way, None)
        wait_for(lambda: self.proxy(slot).totals()[way] >= crossed, "the proxy to have counted what crossed")
        self.assertLess(self.proxy(slot).totals()[way] - start, self.model_bytes, "never the whole of it")
        self.assertNotIn(self.ids[slot], {r["predicate"]["worker_id"] for r in federation.records_of("contribution", job)
                                          if r["predicate"]["round"] == predicate["round"]})
        return cut

    def assert_spool_gone(self, folder):
        wait_for(lambda: not self.spooled(folder), f"what came to be dropped: {folder}", 3 * HEARTBEAT_SECONDS)

    def test_0_a_model_on_its_way_to_a_person_is_cut(self):
        """Through a proxy as slow as a worker's. Nothing is kept of what came, and nothing comes any more."""
        federation = self.federation
        job, _ = federation.train(**{**self.job, "data": "digits/ae"})
        federation.run("user", "invite", "--roles", "operator", "--jurisdiction", "CH", "--organisation", "alpina", "--out",
                       federation.token("dora"), "--state", federation.home)
        federation.run("user", "enroll", "--join", federation.through_proxy("dora"), "--out", federation.folder / "dora")
        self.slow("dora", "down")
        out = federation.folder / "out-dora"
        context = {"CARNET_CONTEXT": str(federation.folder / "dora/context.yaml")}
        export = Process([BINARY, "job", "export", job, "--out", out], federation.folder / "export.log", context)
        federation.processes.append(export)
        wait_for(lambda: self.proxy("dora").totals()["down"] >= UNDER_WAY_BYTES, "the download to be under way")
        self.forbid(("nothing-to-alpina", "recipient.org", "alpina"))
        (cut,) = wait_for(lambda: federation.records_of("transfer-cut", job), "the download to be cut", 3 * HEARTBEAT_SECONDS)
        self.proxy("dora").pace("down", None)
        self.assertEqual(export.wait(), 1, export.text())
        self.assertIn("cut: refused", export.text())
        self.assertFalse(list(out.glob("*")) + list(out.glob(".*.partial")))
        (release,) = federation.records_of("release", job)
        predicate = cut["predicate"]
        crossed = int(predicate["bytes_crossed"])
        cause = federation.records_of("policy-activated")[-1]
        delay = (moment(cut) - moment(cause)).total_seconds()
        say(f"dora: cut after {crossed} of {self.model_bytes} B, {delay:.3f} s after policy-activated")
        self.assertEqual((predicate["ticket_id"], predicate["reason"], predicate["direction"], predicate.get("worker_id", "")),
                         (f"release-{release['index']}", "refused", "download", ""))
        self.assertLessEqual(delay, HEARTBEAT_SECONDS)
        self.assertGreater(crossed, 0)
        self.assertLess(crossed, self.model_bytes)
        self.assertLess(self.proxy("dora").totals()["down"], self.model_bytes)
        again = federation.call("job", "export", job, "--out", out, env=context)
        self.assertEqual(again.returncode, 1, again.stdout + again.stderr)
        self.assertIn("release model (model to Switzerland (CH)): forbidden", again.stdout + again.stderr)
        self.assertIn("nothing-to-alpina", json.dumps(federation.records_of("refusal", job)[-1]["predicate"]))
        self.assertIn("cut after", federation.run("job", "watch", job, "--state", federation.home))

    def test_1_a_bundle_that_forbids_the_flow_cuts_an_upload_and_the_round_goes_on(self):
        federation = self.federation
        self.slow("br-1", "up")
        start = self.proxy("br-1").totals()["up"]
        job = federation.submit(federation.write_job(**self.job))
        wait_for(lambda: len(federation.records_of("contribution", job)) == 3 and
                 max(self.spooled("home"), default=0) >= UNDER_WAY_BYTES, "three contributions, and the slow upload")
        before = self.proxy("br-1").totals()["up"]
        self.forbid(("nothing-from-br", "from.jurisdiction", "BR"))
        cut = self.assert_cut("br-1", job, "upload", "refused", "policy-activated", start)
        self.assertLessEqual(int(cut["predicate"]["bytes_crossed"]), self.proxy("br-1").totals()["up"])
        self.assertLess(before, self.model_bytes)
        self.assert_spool_gone("home")
        status = federation.wait_ended(job)
        self.assertEqual(status["state"], "completed", status)
        closed = federation.records_of("round-closed", job)[-1]["predicate"]
        self.assertEqual(len(closed["included"]), 3)
        self.assertEqual({out["worker_id"]: out["reason"] for out in closed["left_out"]}, {self.ids["br-1"]: "cut"})
        # The worker lives on, and does not come back with the ticket.
        self.assertTrue(federation.workers["br-1"].alive)
        self.assertEqual(len(federation.records_of("transfer-cut", job)), 1)

    def test_2_a_withdrawn_shard_cuts_an_upload_and_holds_the_job(self):
        federation = self.federation
        self.slow("sg-1", "up")
        job = federation.submit(federation.write_job(**{**self.job, "rounds": 2, "data": "digits/sg"}))
        wait_for(lambda: federation.records_of("aggregate", job), "the first model that contains it")
        start = self.proxy("sg-1").totals()["up"]
        wait_for(lambda: max(self.spooled("home"), default=0) >= UNDER_WAY_BYTES, "the second upload to be under way")
        said = federation.json("data", "withdraw", "digits/sg", "--reason", "licence-ended")
        self.assert_cut("sg-1", job, "upload", "shard-withdrawn", "shard-withdrawn", start)
        self.assert_spool_gone("home")
        aggregate = federation.records_of("aggregate", job)[0]["predicate"]
        self.assertEqual(said["jobs_waiting"], [job])
        self.assertEqual([(m["job_id"], m["round"], m["released"]) for m in said["models"] if m["job_id"] == job],
                         [(job, 1, False)])
        self.assertEqual(len(said["models"]), 2)  # and of the test before
        status = wait_for(lambda: (s := federation.status(job))["state"] == "waiting" and s, "the job to say that it waits")
        self.assertEqual(status["waiting_for"], "shard-withdrawn digits/sg")
        self.assertEqual(len(federation.records_of("aggregate", job)), 1)
        self.assertEqual(len(aggregate["included"]), 1)
        # Asked again, the same record; and a person ends the wait.
        again = federation.json("data", "withdraw", "digits/sg", "--reason", "licence-ended")
        self.assertEqual(again["index"], said["index"])
        federation.run("job", "stop", job, "--state", federation.home)
        text = federation.run("data", "withdraw", "digits/sg", "--reason", "licence-ended", "--state", federation.home)
        self.assertIn("no later round uses it", text)
        bad = federation.call("data", "withdraw", "digits/ae", "--reason", "because", "--state", federation.home)
        self.assertEqual(bad.returncode, 2, bad.stderr)

    def test_3_a_bundle_that_forbids_the_flow_cuts_a_download(self):
        federation = self.federation
        self.slow("fr-1", "down")
        start = self.proxy("fr-1").totals()["down"]
        job = federation.submit(federation.write_job(**{**self.job, "data": "digits/fr"}))
        wait_for(lambda: max(self.spooled("fr-1"), default=0) >= UNDER_WAY_BYTES, "the download to be under way")
        self.forbid(("nothing-to-gaul", "recipient.org", "gaul"))
        cut = self.assert_cut("fr-1", job, "download", "refused", "policy-activated", start)
        self.assertLessEqual(int(cut["predicate"]["bytes_crossed"]), self.proxy("fr-1").totals()["down"])
        self.assert_spool_gone("fr-1")
        federation.run("job", "stop", job, "--state", federation.home)

    def test_4_who_has_the_whole_model_gets_no_key_once_its_paper_is_gone(self):
        federation = self.federation
        job = federation.submit(federation.write_job(**{**self.job, "data": "digits/ae", "steps": STEPS_WITHOUT_END}))
        wait_for(lambda: max(self.spooled("ae-1"), default=0) >= self.model_bytes, "the model to have come whole")
        federation.workers["ae-1"].kill()
        federation.run("evidence", "withdraw", self.paper, "--state", federation.home)
        down = self.proxy("ae-1").totals()["down"]
        federation.start_worker("ae-1")
        wait_for(lambda: self.repeated_refusals("use_key") > 0, "the task to have been refused, and refused again")
        self.assertEqual(self.started("ae-1", job), 1)  # before it was killed
        self.assertLess(self.proxy("ae-1").totals()["down"] - down, self.model_bytes)
        refusals = federation.records_of("refusal", job)
        self.assertEqual([r["predicate"]["worker_id"] for r in refusals], [self.ids["ae-1"]], refusals)
        refused = {d["flow"]["operation"] for d in refusals[0]["predicate"]["decisions"]}
        self.assertEqual(refused, {"OPERATION_SEND_MODEL", "OPERATION_USE_KEY"})
        self.assertEqual(federation.records_of("transfer-cut", job), [])
        # The same task is there for it again once the paper is.
        type(self).paper = self.assess_falcon()
        wait_for(lambda: self.started("ae-1", job) == 2, "the task to be given")
        federation.run("job", "stop", job, "--state", federation.home)

    def test_5_a_revoked_worker_is_cut_off_in_the_middle_of_its_upload(self):
        federation = self.federation
        self.slow("ae-1", "up")
        start = self.proxy("ae-1").totals()["up"]
        job = federation.submit(federation.write_job(**{**self.job, "data": "digits/ae"}))
        wait_for(lambda: max(self.spooled("home"), default=0) >= UNDER_WAY_BYTES, "the upload to be under way")
        federation.run("worker", "revoke", "ae-1", "--state", federation.home)
        self.assert_cut("ae-1", job, "upload", "worker-revoked", "worker-revoked", start)
        self.assert_spool_gone("home")
        wait_for(lambda: not federation.workers["ae-1"].alive, "the revoked worker to end")
        self.assertGreater(federation.workers["ae-1"].process.returncode, 0)  # it says why; it did not crash
        federation.run("job", "stop", job, "--state", federation.home)

    def test_6_all_of_it_is_good_evidence_and_counted(self):
        federation = self.federation
        text = self.metrics()
        for reason, times in (("refused", 3), ("shard-withdrawn", 1), ("worker-revoked", 1)):
            self.assertIn(f'carnet_transfers_cut_total{{reason="{reason}"}} {times}', text)
        federation.coordinator.stop()
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        done = federation.call("audit", "--json", "--state", federation.home, "--trust",
                               federation.folder / "trust/trust.policy")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
