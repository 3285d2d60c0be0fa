#!/usr/bin/python3
"""A federation that writes no policies and so lives under every starter pack: at first nothing may happen, because nobody
said who is who; each refusal names the command that says it; once said, data about people in Singapore that lies in
Singapore and in France trains a model there, and officers read what was refused. The walk is that of docs/policies.md.
"""

import datetime
import json
import unittest

from federation import FederationTest, wait_for

OFFICER = "[compliance, dpo, legal, export-control, us-counsel]"
FEDERATION = """
federation: all-packs
home: {{jurisdiction: DE, organisation: acme}}
trust_domain: packs.acme.example
listen: {{grpc: "127.0.0.1:{grpc}", https: "127.0.0.1:{https}"}}
people:
  operator: {{roles: [admin, operator]}}
  mia: {{roles: [member]}}
  sam: {{roles: [data-steward]}}
  cleo: {{roles: """ + OFFICER + """}}
  dora: {{roles: """ + OFFICER + """}}
  emil: {{roles: """ + OFFICER + """}}
suppliers:
  gaul: {{organised_in: FR}}
  lion: {{organised_in: SG}}
regions:
  fr: {{jurisdictions: [FR], supplier: gaul, location_evidence: contract}}
  sg: {{jurisdictions: [SG], supplier: lion, location_evidence: contract}}
workers:
  fr-1: {{region: fr}}
  sg-1: {{region: sg}}
datasets:
  digits:
    labels: {{categories: [personal, internal]}}
    shards:
      fr: {{subjects_in: [SG], stored_in: fr, rows: {rows[fr]}}}
      sg: {{subjects_in: [SG], stored_in: sg, rows: {rows[sg]}}}
"""


class AllPacks(FederationTest):
    options = {"federation": FEDERATION}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_all(("fr-1", "sg-1"))
        cls.paper = federation.folder / "paper.txt"
        cls.paper.write_text("signed by both\n")
        cls.model = federation.folder / "base.safetensors"
        today = datetime.datetime.now(datetime.timezone.utc).date()
        cls.first, cls.last = today.isoformat(), (today + datetime.timedelta(days=300)).isoformat()

    def said(self, code, person, *arguments):
        done = self.call_as(person, *arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def assess(self, person, *statements):
        return self.run_as(person, "data", "assess", self.model, *statements, "--document", self.paper, "--until", self.last)

    def job(self, name):
        return self.federation.write_job(rounds=2, minimum=2, target=2, evaluate=0, name=name)

    def submit(self, name):
        return json.loads(self.run_as("mia", "job", "submit", self.job(name), "--json"))["job_id"]

    def test_1_what_nobody_recorded_denies_and_says_how_to_record_it(self):
        words = self.said(1, "cleo", "policy", "refusals")
        self.assertNotIn("forbidden", words)
        self.assertNotIn("nothing that this flow can change", words)
        self.assertIn("recipient.listed_owner_pct: carnet supplier update acme --listed-share PERCENT", words)
        self.assertIn("recipient.ultimate_parent: carnet supplier update acme --parent PLACE", words)
        self.assertIn("recipient.principal_place: carnet supplier update acme --principal-place PLACE", words)
        words = self.said(1, "mia", "job", "check", self.job("early.yaml"))
        self.assertIn("carnet supplier update lion --parent PLACE", words)
        self.assertIn("carnet data assess MODEL --controlled no", words)

    def test_2_organisations_are_said_by_commands(self):
        for organisation, place in (("home", "DE"), ("gaul", "FR"), ("lion", "SG")):
            deal = () if organisation == "home" else ("--deal", "compute-rental")
            self.run_as("cleo", "supplier", "update", "--yes", organisation, "--principal-place", place, "--parent", place,
                        "--certifications", "none", "--listed-share", "0", *deal)
        rows = {row["supplier"]: row for row in
                map(json.loads, self.run_as("cleo", "supplier", "list", "--json").splitlines())}
        self.assertEqual((rows["acme"]["ultimate_parent"], rows["acme"]["listed_owner_pct"], rows["acme"]["deal"]),
                         ("DE", 0, ""))
        self.assertEqual((rows["lion"]["listed_owner_pct"], rows["lion"]["deal"]), (0, "compute-rental"))
        self.assertEqual((rows["acme"]["principal_place"], rows["acme"]["certifications"]), ("DE", ["none"]))
        self.assertIn("genesis", self.said(2, "cleo", "supplier", "update", "--yes", "home", "--organised-in", "FR"))
        self.assertIn("--listed-share", self.said(2, "cleo", "supplier", "update", "--yes", "lion", "--listed-share", "much"))
        self.assertIn("compute-rental", self.said(2, "cleo", "supplier", "update", "--yes", "lion", "--deal", "barter"))
        self.assertIn("a role other than member", self.said(1, "mia", "supplier", "update", "--yes", "lion", "--listed-share", "1"))
        # The log may be read from here on, by whoever is at home.
        self.run_as("cleo", "policy", "refusals")

    def test_3_models_are_assessed_and_papers_filed(self):
        words = self.said(1, "mia", "job", "check", self.job("later.yaml"))
        self.assertIn("model.controlled", words)
        self.assertNotIn("supplier update", words)
        self.assertIn("--document", self.said(2, "cleo", "data", "assess", self.model, "--controlled", "no"))
        self.assertIn("yes, no", self.said(2, "cleo", "data", "assess", self.model, "--controlled", "perhaps", "--document",
                                           self.paper, "--until", self.last))
        self.assertIn("role", self.said(1, "mia", "data", "assess", self.model, "--controlled", "no", "--document",
                                        self.paper, "--until", self.last))
        self.assess("cleo", "--controlled", "no", "--export-class", "none")
        [row] = map(json.loads, self.run_as("cleo", "data", "assessments", "--json").splitlines())
        self.assertEqual((row["controlled"], row["export_class"], row["anonymity"], row["withdrawn"]), ("no", "none", "", False))
        self.assertIn("in force", self.run_as("cleo", "data", "assessments"))
        for recipient, place in (("acme", "DE"), ("gaul", "FR")):
            self.run_as("dora", "evidence", "add", "--kind", "sg-transfer-contract", "--recipient", recipient, "--to", place,
                        "--document", self.paper, "--from", self.first, "--until", self.last)
        self.run_as("mia", "job", "check", self.job("ready.yaml"))

    def test_4_a_job_over_two_places_completes_and_its_model_goes_to_its_owner(self):
        federation = self.federation
        job = self.submit("train.yaml")
        type(self).trained = job
        self.assertEqual(federation.wait_ended(job)["state"], "completed")
        opened = federation.records_of("round-opened", job)
        self.assertEqual([len(r["predicate"]["members"]) for r in opened], [2, 2])
        flows = [a["flow"] for r in opened for member in r["predicate"]["members"] for a in member["authorisations"]]
        self.assertEqual({flow["to"] for flow in flows}, {"DE", "FR", "SG"})
        self.assertIn("SG|internal,personal", {flow.get("label_class", "") for flow in flows})
        out = federation.folder / "out"
        self.run_as("mia", "job", "export", job, "--out", out)
        verified = federation.verify(out)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        report = json.loads(federation.run("audit", "--state", federation.home, "--json", "--trust",
                                           federation.folder / "trust/trust.policy"))
        self.assertEqual((report["verdict"], report["findings"]), ("good", []))

    def test_5_an_assessment_that_ends_stops_the_next_job_until_there_is_another(self):
        federation = self.federation
        self.run_as("emil", "data", "assess", self.trained, "--withdraw")
        self.assertIn("withdrawn", self.run_as("cleo", "data", "assessments"))
        job = self.submit("again.yaml")
        wait_for(lambda: federation.records_of("refusal", job), "the refusal of a model that nobody assessed")
        self.assertEqual(federation.records_of("round-opened", job), [])
        words = self.run_as("dora", "policy", "refusals", "--job", job)
        self.assertIn("nobody recorded model.controlled: carnet data assess MODEL", words)
        self.assertIn("none of this model", self.said(3, "emil", "data", "assess", self.model, "--withdraw"))
        self.assess("emil", "--controlled", "no", "--export-class", "none")
        self.assertEqual(federation.wait_ended(job)["state"], "completed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
