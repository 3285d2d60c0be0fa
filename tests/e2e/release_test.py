#!/usr/bin/python3
"""What leaves home for people: a model and the records of the log go to a person at home, and not to one in a place that
the rules forbid, nor where nobody said where the person works. Each person reaches home through a proxy that counts.

What the refused person, an officer and an auditor read is compared with golden/release_model.txt and
golden/read_log.txt; CARNET_UPDATE_GOLDEN=1 writes these files anew. A draft that lets the model out to Kenya shows what
was refused, counted.
"""

import json
import re
import shutil
import unittest
from pathlib import Path

from federation import FederationTest, say
from views import Views

HERE = Path(__file__).resolve().parent
RULES = HERE / "policies/release"
# A few calls, each with TLS, heads and the words of a refusal.
CONTROL_BYTES_MAX = 60_000
PAYLOAD_BYTES_MIN = 1_000_000
HIDDEN = 4096

FEDERATION = """
federation: release
home: {{jurisdiction: DE, organisation: acme}}
trust_domain: release.acme.example
listen: {{grpc: "127.0.0.1:{grpc}", https: "127.0.0.1:{https}"}}
policies: """ + str(RULES) + """
people:
  operator: {{roles: [admin, operator, member]}}
  gustav: {{roles: [member, auditor], jurisdiction: KE}}
  olga: {{roles: [compliance, dpo, legal]}}
  luis: {{roles: [legal]}}
  doro: {{roles: [dpo]}}
  aino: {{roles: [auditor]}}
  sam: {{roles: [compliance, data-steward]}}
suppliers:
  gaul: {{organised_in: FR, ultimate_parent: FR}}
regions:
  fr: {{jurisdictions: [FR], supplier: gaul, location_evidence: contract}}
workers:
  fr-1: {{region: fr}}
datasets:
  digits:
    labels: {{categories: [personal]}}
    shards:
      fr: {{subjects_in: [FR], stored_in: fr, rows: {rows[fr]}}}
"""


class Release(Views, FederationTest):
    options = {"federation": FEDERATION, "heartbeat": "10s"}
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        cls.model_bytes = federation.write_mlp(HIDDEN)
        assert cls.model_bytes > PAYLOAD_BYTES_MIN
        federation.start_all(("fr-1",))
        cls.job, _ = federation.train(rounds=1, minimum=1, target=1, trainer="mlp", model="mlp.safetensors", evaluate=0)
        cls.ids = {"dora": cls.enrol("dora", "DE", "acme"), "kim": cls.enrol("kim", "KE", "safari"),
                   "nemo": cls.enrol("nemo", "", "")}

    # ---- people ----

    @classmethod
    def enrol(cls, name, jurisdiction, organisation):
        """An operator's account, so that models may be asked for, through a counting proxy."""
        federation = cls.federation
        place = (("--jurisdiction", jurisdiction) if jurisdiction else ()) + (
            ("--organisation", organisation) if organisation else ())
        done = federation.call("user", "invite", "--roles", "operator", *place, "--out", federation.token(name), "--state",
                               federation.home)
        assert done.returncode == 0, done.stderr
        assert ("policies will let neither" in done.stderr) == (not place), done.stderr
        said = federation.run("user", "enroll", "--join", federation.through_proxy(name), "--out", federation.folder / name)
        return re.search(r"enrolled (u-[a-z2-7]{16})", said).group(1)

    def call_as(self, name, *arguments):
        """Whoever enrolled here, or a person of init."""
        folder = self.federation.folder / name if name in self.ids else self.federation.home / "people" / name
        return self.federation.call(*arguments, env={"CARNET_CONTEXT": str(folder / "context.yaml")})

    def export(self, name):
        out = self.federation.folder / f"out-{name}"
        return out, self.call_as(name, "job", "export", self.job, "--out", out)

    def moved(self, name, before, what):
        bytes_moved = self.federation.bytes_of(name) - before
        say(f"{what}: {bytes_moved} B between {name} and home; the model has {self.model_bytes} B")
        return bytes_moved

    def reasons(self, operation):
        """Of the refusals on record, by the place that they are about."""
        return {(decision["flow"].get("to", ""), failure["reason"])
                for r in self.federation.records_of("refusal") for decision in r["predicate"]["decisions"]
                if decision["flow"]["operation"] == f"OPERATION_{operation}" for failure in decision.get("failures", ())}

    # ---- models ----

    def test_1_a_model_about_people_in_france_does_not_go_to_kenya(self):
        federation = self.federation
        before = federation.bytes_of("kim")
        out, done = self.export("kim")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.check_views("release_model", done.stdout + done.stderr, "release_model", self.job, "KE")
        self.assertLess(self.moved("kim", before, "release_model, refused"), CONTROL_BYTES_MAX)
        self.assertFalse((out / "model.safetensors").exists())
        self.assertIn(("KE", "french/not-in-kenya"), self.reasons("RELEASE_MODEL"))
        self.assertEqual([r for r in federation.records_of("release") if r["predicate"]["released_to"] == self.ids["kim"]], [])
        # Asked again: the same refusal, not another record.
        count = len(federation.records_of("refusal"))
        self.assertEqual(self.export("kim")[1].returncode, 1)
        self.assertEqual(len(federation.records_of("refusal")), count)

    def test_2_it_goes_to_a_person_at_home(self):
        federation = self.federation
        before = federation.bytes_of("dora")
        out, done = self.export("dora")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreater(self.moved("dora", before, "release_model, allowed"), PAYLOAD_BYTES_MIN)
        self.assertEqual(federation.verify(out).returncode, 0)
        released = [r["predicate"] for r in federation.records_of("release") if r["predicate"]["released_to"] == self.ids["dora"]]
        self.assertEqual([(r["jurisdiction"], r["recipient"], r["shards"]) for r in released], [("DE", "acme", ["digits/fr"])])

    def test_3_nothing_goes_where_nobody_said_where_a_person_works(self):
        before = self.federation.bytes_of("nemo")
        out, done = self.export("nemo")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("Have an admin put on record where the person works", done.stdout)
        self.assertFalse((out / "model.safetensors").exists())
        self.assertEqual(self.call_as("nemo", "job", "watch", self.job).returncode, 1)
        self.assertLess(self.moved("nemo", before, "everything refused"), CONTROL_BYTES_MAX)

    # ---- records ----

    def test_4_the_log_is_not_read_in_kenya(self):
        federation = self.federation
        before = federation.bytes_of("kim")
        done = self.call_as("kim", "job", "watch", self.job)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.check_views("read_log", done.stderr, "read_log", to="KE")
        refused = self.moved("kim", before, "read_log, refused")
        # The same command by who may: what of it is more than the calls around it are the statements.
        start = federation.bytes_of("dora")
        self.assertEqual(self.call_as("dora", "job", "watch", self.job).returncode, 0)
        allowed = self.moved("dora", start, "read_log, allowed")
        statements = sum(len(json.dumps(r["predicate"])) for kind in ("round-opened", "round-closed", "aggregate")
                         for r in federation.records_of(kind, self.job))
        self.assertLess(refused, allowed)
        self.assertLess(refused + statements // 2, allowed, "what was refused lacks the statements that were read")
        self.assertEqual(self.call_as("kim", "policy", "refusals").returncode, 1)
        self.assertIn(("KE", "log-stays/near"), self.reasons("READ_LOG"))
        self.assertNotIn(self.ids["kim"], [r["predicate"]["reader"] for r in federation.records_of("log-read")])
        # What is no statement goes on: the state of jobs, and the record of what was asked for.
        self.assertEqual(self.call_as("kim", "job", "status", self.job).returncode, 0)
        invited = self.call_as("kim", "worker", "revoke", "fr-1")
        self.assertEqual(invited.returncode, 0, invited.stderr)

    def test_5_it_is_read_at_home_and_that_is_on_record(self):
        federation = self.federation
        done = self.call_as("dora", "job", "watch", self.job, "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("round-opened", done.stdout)
        read = [r for r in federation.records_of("log-read") if r["predicate"]["reader"] == self.ids["dora"]]
        self.assertEqual(len(read), 1)
        self.assertEqual(self.call_as("dora", "policy", "refusals").returncode, 0)
        self.assertEqual(len(federation.records_of("log-read")), len({r["predicate"]["reader"]
                                                                      for r in federation.records_of("log-read")}))

    def test_6_init_says_where_its_people_work(self):
        enrolled = {r["predicate"]["user_id"]: r["predicate"] for r in self.federation.records_of("user-enrolled")}
        places = sorted((p.get("jurisdiction", ""), p.get("organisation", "")) for p in enrolled.values())
        self.assertEqual(places, [("", ""), *[("DE", "acme")] * 7, ("KE", "acme"), ("KE", "safari")])

    # ---- what a change would let out ----

    def draft(self):
        """The rules, and people in Kenya may have what was learned from people in France."""
        folder = self.federation.folder / "draft"
        if not folder.exists():
            shutil.copytree(RULES, folder)
            french = folder / "french.yaml"
            text = french.read_text().replace("{in: [DE, FR]}", "{in: [DE, FR, KE]}")
            french.write_text(text[:text.index("  - id: not-in-kenya\n")])
        return folder

    def test_6b_a_draft_that_opens_kenya_shows_the_release_that_was_refused(self):
        before = len(self.federation.records_of("policy-proposed"))
        done = self.call_as("olga", "policy", "impact", self.draft(), "--json")
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("bundle", report)
        opened = {(e["operation"], e["to"]): e for e in report["impact"]["deny_to_allow"]["examples"]}
        self.assertEqual(opened["release_model", "KE"]["recorded"], 1, opened)
        self.assertEqual(opened["release_model", "KE"]["reason"], "french/not-in-kenya")
        self.assertEqual(report["impact"]["allow_to_deny"]["flows"], 0)
        said = self.call_as("olga", "policy", "impact", self.draft())
        self.assertIn("on no record, so nobody can approve it", said.stdout)
        self.assertIn("release_model DE→KE of FR|personal, 1 flows, recorded 1 times", said.stdout)
        self.assertEqual(len(self.federation.records_of("policy-proposed")), before)
        # Whoever may not propose it is not shown whom it concerns.
        self.assertEqual(self.call_as("dora", "policy", "impact", self.draft()).returncode, 1)

    def test_6c_two_folders_are_compared_without_a_server(self):
        done = self.federation.call("policy", "impact", self.draft(), "--against", RULES, "--json")
        report = json.loads(done.stdout)
        self.assertNotIn("impact", report)
        self.assertEqual([swept["policy"] for swept in report["situations"]], ["french"])
        self.assertGreater(report["situations"][0]["deny_to_allow"]["classes"], 0)
        said = self.federation.call("policy", "impact", self.draft(), "--against", RULES)
        self.assertIn("no flows on record were weighed", said.stdout)
        alone = self.federation.call("policy", "impact", self.draft(), env={"CARNET_CONTEXT": ""})
        self.assertEqual(alone.returncode, 2, alone.stdout + alone.stderr)
        self.assertIn("--against FOLDER", alone.stderr)

    def test_7_the_audit_decides_all_of_it_again(self):
        federation = self.federation
        trust = federation.folder / "trust"
        if not trust.exists():
            federation.run("ledger", "trust", "--state", federation.home, "--out", trust)
        done = federation.call("audit", "--state", federation.home, "--trust", trust / "trust.policy")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
