#!/usr/bin/python3
"""Persons in the way of a job, and out of it again: a job waits until somebody who holds the role has signed, and trains
then by itself; an exception lets data's site in once two persons approved it, and no longer when it is withdrawn. A
submitter releases nothing of his own. The audit takes all of it again."""

import json
import re
import unittest

from federation import BINARY, OPEN_FEDERATION, FederationTest, Process, wait_for

PEOPLE = """
people:
  operator: {{roles: [admin, operator, member, dpo]}}
  olga: {{roles: [compliance, data-steward]}}
  cleo: {{roles: [dpo]}}
  luis: {{roles: [legal]}}
"""
HEAD = """kind: guardrail
approvals: {propose: [compliance], need: 1, from: [dpo]}
effective: {from: 2026-01-01}
"""
SIGN = "policy: sign\ntitle: A job is placed where a data protection officer agreed\n" + HEAD + """
rules:
  - id: abroad
    effect: require
    when: {op: {is: place}}
    require: [{id: dpo, phase: approval, from: [dpo], need: 1}]
"""
NEVER = "policy: sg\ntitle: Nothing goes to Singapore\n" + HEAD + """
rules:
  - {id: never, effect: deny, when: {to.jurisdiction: {is: SG}}}
"""
PILOT = """exceptions:
  - id: pilot
    lifts: never
    only_when: {job.purpose: {is: digit-recognition}}
    ticket: COMP-1234
    valid: {from: 2026-11-01, to: 2027-04-15}
    approvals: {need: 2, from: [dpo, legal]}
"""


class Approvals(FederationTest):
    options = {"federation": OPEN_FEDERATION + PEOPLE, "policies": {"sign.yaml": SIGN, "sg.yaml": NEVER + PILOT}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.federation.start_all(("fr-1", "sg-1"))

    def as_person(self, name, *arguments, expect=0):
        context = self.federation.home / "people" / name / "context.yaml"
        return self.call({"CARNET_CONTEXT": str(context)}, *arguments, expect=expect)

    def call(self, env, *arguments, expect=0):
        done = self.federation.call(*arguments, env=env)
        self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def waiting(self, job):
        return self.federation.status(job)["waiting_for"]

    def enrol(self, name, role):
        """A person with keys of her own; cleo passes the role on. The environment that she works in."""
        federation = self.federation
        token, out = federation.folder / f"{name}.invitation", federation.folder / name
        federation.run("user", "invite", "--roles", role, "--jurisdiction", "DE", "--organisation", "acme",
                       "--out", token, "--state", federation.home)
        user = re.search(r"enrolled (u-[a-z2-7]{16})",
                         federation.run("user", "enroll", "--join", token, "--out", out)).group(1)
        self.as_person("cleo", "user", "role", "grant", user, role)
        return {"CARNET_CONTEXT": str(out / "context.yaml")}

    def submit(self, shard):
        return self.federation.submit(self.federation.write_job(
            rounds=1, minimum=1, target=1, evaluate=0, data=f"digits/{shard}", name=f"job-{shard}.yaml"))

    def test_1_a_held_job_goes_on_when_the_person_it_waits_for_has_signed(self):
        federation = self.federation
        job = self.submit("fr")
        said = "hold: approval by 1 person of dpo, given 0 (sign/abroad.dpo)"
        wait_for(lambda: self.waiting(job) == said, "the job to say whom it waits for")
        watch = Process([BINARY, "job", "watch", job, "--state", federation.home], federation.folder / "watch.log")
        federation.processes.append(watch)
        wait_for(lambda: f"waiting: {said}" in watch.text(), "the watcher to hear it too")
        # The operator holds dpo too, but it is his own job; olga holds another role.
        self.assertIn("the submitter's own approval never counts",
                      self.call({}, "job", "approve", job, "--state", federation.home, expect=1))
        self.assertIn("they ask for: dpo", self.as_person("olga", "job", "approve", job, expect=1))
        self.assertIn("does not hold the role", self.as_person("olga", "job", "approve", job, "--role", "dpo", expect=1))
        self.as_person("olga", "job", "approve", job, "--role", "compliance")  # on record, and asked for by nobody
        self.assertIn("no such job", self.as_person("olga", "job", "approve", "j-aaaaaaaaaaaaaaaa", expect=3))
        self.assertEqual(self.waiting(job), said)
        self.assertEqual(federation.records_of("round-opened"), [])
        mia = self.enrol("mia", "dpo")
        answer = json.loads(self.call(mia, "job", "approve", job, "--json"))
        self.assertEqual((answer["job_id"], answer["role"]), (job, "dpo"))
        self.assertEqual(federation.records()[answer["index"]]["type"], "approval")
        self.assertEqual(federation.wait_ended(job)["state"], "completed")
        self.assertEqual(watch.wait(), 0)
        opened = federation.records_of("round-opened", job)
        self.assertGreater(opened[0]["index"], answer["index"])

    def test_2_an_exception_lets_in_what_persons_approved_until_it_is_withdrawn(self):
        federation = self.federation
        job = self.submit("sg")
        self.as_person("cleo", "job", "approve", job, "--role", "dpo")
        wait_for(lambda: self.waiting(job) == "eligible workers: 0 of 1", "the job to be refused in Singapore")
        self.assertIn("sg/pilot: 0 of 2 from dpo, legal", self.as_person("olga", "policy", "status"))
        self.assertIn("those that do: sg/pilot",
                      self.as_person("cleo", "policy", "approve", "--exception", "sg/other", expect=3))
        self.assertIn("approved sg/pilot as dpo", self.as_person("cleo", "policy", "approve", "--exception", "sg/pilot"))
        self.assertEqual(federation.status(job)["state"], "waiting")
        said = json.loads(self.as_person("luis", "policy", "approve", "--exception", "sg/pilot", "--days", "7", "--json"))
        self.assertEqual((said["exception"], said["role"]), ("sg/pilot", "legal"))
        self.assertEqual(federation.wait_ended(job)["state"], "completed")
        member = federation.records_of("round-opened", job)[0]["predicate"]["members"][0]
        used = {name for one in member["authorisations"] for name in one.get("exceptions", ())}
        self.assertEqual(used, {"pilot"})
        # A bundle without it only tightens: olga's signature is enough.
        rules = federation.folder / "policies"
        (rules / "sg.yaml").write_text(NEVER)
        self.assertIn("it only tightens", self.as_person("olga", "policy", "propose", rules))
        wait_for(lambda: json.loads(self.as_person("olga", "policy", "status", "--json"))["revision"] == 2,
                 "the stricter bundle to be in force")
        again = self.submit("sg")
        self.as_person("cleo", "job", "approve", again, "--role", "dpo")
        wait_for(lambda: self.waiting(again) == "eligible workers: 0 of 1", "Singapore to be refused again")
        self.assertIn("sg/never", self.as_person("olga", "policy", "refusals", "--job", again, "--json"))
        self.assertEqual(federation.records_of("round-opened", again), [])
        federation.run("job", "stop", again, "--state", federation.home)

    def test_3_the_audit_takes_every_decision_again(self):
        federation = self.federation
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        report = json.loads(federation.run("audit", "--state", federation.home, "--json", "--trust",
                                           federation.folder / "trust/trust.policy"))
        self.assertEqual((report["verdict"], report["findings"]), ("good", []))
        self.assertEqual([bundle["revision"] for bundle in report["bundles"]], [1, 2])


if __name__ == "__main__":
    unittest.main()
