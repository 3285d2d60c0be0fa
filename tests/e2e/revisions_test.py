#!/usr/bin/python3
"""What was decided stays decided: a job is trained and refused in places under one revision of the policies, three more
revisions come into force, and a second job is trained under the last. `carnet audit` takes every decision of both
again, from the state and from one exported file, each under the revision of its time, and finds one that was changed."""

import collections
import json
import re
import unittest

from federation import OPEN_FEDERATION, FederationTest, say, wait_for

PEOPLE = """
people:
  operator: {{roles: [admin, operator, member]}}
  olga: {{roles: [compliance, data-steward]}}
  cleo: {{roles: [compliance]}}
  luis: {{roles: [legal]}}
"""
CLAIMED = OPEN_FEDERATION.replace("supplier: condor, location_evidence: contract",
                                  "supplier: condor, location_evidence: claimed")
CLAIM_RULE = "      to.location_grade: {in: [claimed]}\n"
UNLESS_CONDOR = "    unless:\n      recipient.org: {is: condor}\n"
TITLE = "title: What our own organisation allows where no law about people's data applies\n"


def decisions_on_record(records):
    """How many decisions were taken under each revision; those that do not allow apart."""
    taken, denied = collections.Counter(), collections.Counter()
    for record in records:
        predicate = record["predicate"]
        for decision in predicate.get("decisions", ()) if record["type"] == "refusal" else ():
            taken[int(decision["revision"])] += 1
            denied[int(decision["revision"])] += decision["verdict"] != "VERDICT_ALLOW"
        for part in (predicate, predicate.get("member"), *predicate.get("members", ()), *predicate.get("included", ())):
            if isinstance(part, dict) and part.get("authorisations"):
                taken[int(predicate["basis"]["revision"])] += len(part["authorisations"])
    return dict(taken), dict(denied)


class Revisions(FederationTest):
    options = {"federation": CLAIMED + PEOPLE}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_all(("home-1", "fr-1", "ae-1", "br-1"))
        cls.first, _ = federation.train(rounds=2, minimum=2, target=3)
        cls.rules = federation.folder / "policies"
        house = cls.rules / "house.yaml"
        founded = house.read_text()
        # Brazil is let in, a title changes, and Brazil is out again: each in force before the next is proposed.
        cls.revise(2, house, founded.replace(CLAIM_RULE, CLAIM_RULE + UNLESS_CONDOR))
        cls.revise(3, house, house.read_text().replace(TITLE, "title: What acme allows\n"))
        cls.revise(4, house, founded)
        cls.second, _ = federation.train(rounds=1, minimum=2, target=3, name="second.yaml")
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        cls.trust = federation.folder / "trust/trust.policy"
        cls.bundle = federation.folder / "whole.carnet-audit"
        federation.coordinator.stop()  # what is audited twice must not grow in between
        federation.run("audit", "export", "--state", federation.home, "--out", cls.bundle)

    @classmethod
    def person(cls, name, *arguments):
        done = cls.federation.call(*arguments, env={
            "CARNET_CONTEXT": str(cls.federation.home / "people" / name / "context.yaml")})
        if done.returncode != 0:
            raise AssertionError(f"{name}: {arguments}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    @classmethod
    def revise(cls, revision, path, text):
        """Proposed by olga, approved by the two whom house asks for, in force."""
        if text == path.read_text():
            raise AssertionError("the revision changes nothing")
        path.write_text(text)
        digest = re.search(r"proposed ([0-9a-f]{64})", cls.person("olga", "policy", "propose", cls.rules)).group(1)
        cls.person("cleo", "policy", "approve", digest)
        cls.person("luis", "policy", "approve", digest)
        wait_for(lambda: json.loads(cls.person("olga", "policy", "status", "--json").splitlines()[0])["revision"] == revision,
                 f"revision {revision} to be in force")

    def audit(self, *arguments):
        done = self.federation.call("audit", "--json", "--trust", self.trust, *arguments)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def check(self, code, report):
        self.assertEqual((code, report["verdict"], report["findings"]), (0, "good", []))
        taken, denied = decisions_on_record(self.federation.records())
        by_revision = {bundle["revision"]: bundle["decisions_taken_again"] for bundle in report["bundles"]}
        say(f"decisions taken again, by revision: {by_revision}; denials: {denied}")
        self.assertEqual(list(by_revision), [1, 2, 3, 4])
        self.assertEqual({revision: count for revision, count in by_revision.items() if count}, taken)
        self.assertEqual(report["numbers"]["decisions_taken_again"], sum(taken.values()))
        self.assertEqual(report["numbers"]["of_them_denials"], sum(denied.values()))
        # Both jobs were decided, and refused in Brazil, each under its own revision.
        for revision in (1, 4):
            self.assertGreater(taken[revision] - denied[revision], 0)
            self.assertGreater(denied[revision], 0)
        self.assertEqual({(job["job_id"], job["state"]) for job in report["jobs"]},
                         {(self.first, "completed"), (self.second, "completed")})

    def test_1_every_decision_of_both_jobs_is_taken_again_from_the_state(self):
        self.check(*self.audit("--state", self.federation.home))

    def test_2_and_from_one_exported_file(self):
        self.check(*self.audit("--bundle", self.bundle))

    def test_3_the_report_says_how_many_under_which_revision(self):
        text = self.federation.run("audit", "--bundle", self.bundle, "--trust", self.trust)
        self.assertEqual([int(n) for n in re.findall(r"^policy  revision (\d+) from record \d+: \d+ decisions? taken again,",
                                                     text, re.M)], [1, 2, 3, 4])

    def test_4_one_recorded_verdict_that_was_changed_is_found(self):
        refusal = self.federation.records_of("refusal")[0]
        whole = self.bundle.read_bytes()
        decision = refusal["predicate"]["decisions"][0]
        self.assertEqual(decision["verdict"], "VERDICT_DENY")
        at = whole.index(b"VERDICT_DENY", whole.index(decision["id"].encode()))
        changed = self.federation.folder / "changed.carnet-audit"
        changed.write_bytes(whole[:at] + b"VERDICT_HOLD" + whole[at + len(b"VERDICT_HOLD"):])
        code, report = self.audit("--bundle", changed)
        self.assertEqual((code, report["verdict"]), (1, "bad evidence"))
        self.assertEqual(report["findings"][0]["index"], refusal["index"])


if __name__ == "__main__":
    unittest.main()
