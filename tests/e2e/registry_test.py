#!/usr/bin/python3
"""The registry of facts while a federation runs: who may change it, what follows from a change, what is refused."""

import json
import unittest

from federation import OPEN_FEDERATION, FederationTest, wait_for

PEOPLE = """
people:
  operator: {{roles: [admin, operator]}}
  mia: {{roles: [member]}}
  cleo: {{roles: [compliance]}}
  coco: {{roles: [compliance]}}
  luis: {{roles: [legal]}}
  dora: {{roles: [dpo]}}
  dirk: {{roles: [dpo]}}
  sam: {{roles: [data-steward]}}
  aino: {{roles: [auditor]}}
"""
FEDERATION = OPEN_FEDERATION.replace(
    "supplier: condor, location_evidence: contract", "supplier: condor, location_evidence: claimed") + PEOPLE

FRAGMENT = """
suppliers:
  nyati: {organised_in: KE, ultimate_parent: KE, owners: [{jurisdiction: KE, percent: 70}], certifications: [iso-27001]}
regions:
  ke: {jurisdictions: [KE], supplier: nyati, location_evidence: contract}
datasets:
  digits:
    labels: {categories: [none]}
    shards:
      ke: {stored_in: ke, rows: 359}
"""


class Registry(FederationTest):
    options = {"federation": FEDERATION}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_all(("fr-1", "br-1"))

    def refused(self, code, *arguments):
        """Runs as that person and expects the exit code; what stands on standard error."""
        done = self.call_as(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr

    def lines(self, person, *arguments):
        return [json.loads(line) for line in self.run_as(person, *arguments, "--json").splitlines()]

    def write(self, name, text):
        path = self.federation.folder / name
        path.write_text(text)
        return path

    def test_1_what_init_registered_is_listed(self):
        regions = {row["region"]: row for row in self.lines("aino", "region", "list")}
        self.assertEqual(set(regions), {"home", "fr", "sg", "ae", "br"})
        self.assertEqual((regions["br"]["location"], regions["br"]["workers"]), ("claimed", 1))
        self.assertEqual(regions["home"]["jurisdictions"], ["DE"])
        suppliers = {row["supplier"]: row for row in self.lines("aino", "supplier", "list")}
        self.assertEqual(suppliers["lion"]["organised_in"], "SG")
        self.assertEqual(suppliers["lion"]["stated_by"]["role"], "compliance")
        self.assertEqual(json.loads(self.run_as("aino", "supplier", "show", "lion", "--json")), suppliers["lion"])
        [digits] = self.lines("aino", "data", "show", "digits")
        shards = {row["shard"]: row for row in digits["shards"]}
        self.assertEqual(shards["fr"]["categories"], ["none"])
        self.assertEqual(len(shards["fr"]["held_by"]), 1)
        self.assertEqual(shards["fr"]["stated_by"]["role"], "data-steward")
        self.assertIn("no evidence is on record", self.run_as("aino", "evidence", "list"))
        self.refused(3, "aino", "supplier", "show", "nobody")
        self.refused(1, "mia", "supplier", "list")

    def test_2_a_place_that_somebody_vouches_for_lets_a_waiting_job_go_on(self):
        federation = self.federation
        submitted = json.loads(self.run_as("mia", "job", "submit", federation.write_job(rounds=1, minimum=2, evaluate=0),
                                           "--json"))
        job = submitted["job_id"]
        wait_for(lambda: federation.records_of("refusal", job), "the refusal of the claimed place")
        self.assertEqual(federation.records_of("round-opened", job), [])
        self.refused(1, "mia", "region", "update", "--yes", "br", "--location", "contract")
        for person in ("sam", "aino"):
            self.assertIn("compliance", self.refused(1, person, "region", "update", "--yes", "br", "--location", "contract"))
        said = self.refused(2, "cleo", "region", "update", "br", "--location", "contract")
        self.assertIn('"jurisdictions":["BR"]', said, "what would be signed is shown")
        self.assertIn("nothing was signed", said)
        printed = self.run_as("cleo", "region", "update", "--yes", "br", "--location", "contract")
        self.assertIn("registered region br (record", printed)
        self.assertEqual(federation.wait_ended(job)["state"], "completed")
        opened = federation.records_of("round-opened", job)[0]["predicate"]
        self.assertEqual(len(opened["members"]), 2)
        # As it stands: no second record.
        before = len(federation.records_of("region-registered"))
        self.run_as("cleo", "region", "update", "--yes", "br", "--location", "contract")
        self.assertEqual(len(federation.records_of("region-registered")), before)

    def test_3_a_new_supplier_region_and_shard_train(self):
        federation = self.federation
        fragment = self.write("kenya.yaml", FRAGMENT)
        self.run_as("cleo", "supplier", "add", "-f", fragment)
        self.run_as("cleo", "region", "add", "-f", fragment)
        self.run_as("sam", "data", "register", "-f", fragment)
        [nyati] = [row for row in self.lines("aino", "supplier", "list") if row["supplier"] == "nyati"]
        self.assertEqual(nyati["owners"], [{"jurisdiction": "KE", "percent": 70}])
        self.run_as("cleo", "supplier", "update", "--yes", "nyati", "--owner", "KE=60", "--owner", "unknown=40", "--gpu-hour",
                    "1.10 USD")
        shown = json.loads(self.run_as("aino", "supplier", "show", "nyati", "--json"))
        self.assertEqual([row["percent"] for row in shown["owners"]], [60, 40])
        self.assertEqual(shown["certifications"], ["iso-27001"], "what is not named stays")
        token = federation.folder / "ke-1.token"
        federation.run("worker", "invite", "ke-1", "--region", "ke", "--out", token, "--state", federation.home)
        federation.start_worker("ke-1", token=token, data={"digits/ke": federation.folder / "data/sg/train.csv"})
        federation.wait_live(("ke-1",))
        done = json.loads(self.run_as("mia", "job", "submit", federation.write_job(
            rounds=1, minimum=1, evaluate=0, data="digits/ke", name="ke.yaml"), "--json"))
        self.assertEqual(federation.wait_ended(done["job_id"])["state"], "completed")
        # Its machines are nyati's.
        self.assertIn("carnet worker revoke", self.refused(2, "cleo", "region", "update", "--yes", "ke", "--supplier", "lion"))

    def test_4_a_registered_shard_never_changes(self):
        said = self.refused(2, "sam", "data", "register", "digits/fr", "--stored-in", "fr", "--rows", "360",
                            "--categories", "personal", "--subjects-in", "FR")
        self.assertIn("carnet data withdraw", said)
        [digits] = self.lines("aino", "data", "show", "digits")
        [fr] = [row for row in digits["shards"] if row["shard"] == "fr"]
        said = self.refused(2, "sam", "data", "register", "digits/copy", "--stored-in", "fr", "--rows", "360",
                            "--categories", "personal", "--subjects-in", "FR", "--sha256", fr["sha256"])
        self.assertIn("digits/fr", said)
        self.assertIn("data-steward", self.refused(1, "cleo", "data", "register", "digits/x", "--rows", "1"))

    def test_5_slips_of_the_keyboard_are_answered_where_they_stand(self):
        for text, words in (
                ("suppliers:\n  yak: {organised_in: UK}\n", ("suppliers.yak.organised_in", "GB")),
                ("suppliers:\n  yak: {certifications: [iso-27002]}\n", ("suppliers.yak.certifications", "iso-27001")),
                ("suppliers:\n  yak: {owners: [{jurisdiction: KE, percent: 101}]}\n", ("more than 100",)),
                ("suppliers:\n  yak: {organized_in: KE}\n", ("slip.yaml:2:9", "organised_in")),
                ("regions: {}\n", ("names none under `suppliers`",))):
            said = self.refused(2, "cleo", "supplier", "add", "-f", self.write("slip.yaml", text))
            for word in words:
                self.assertIn(word, said)
        self.refused(2, "cleo", "supplier", "add", "lion", "--organised-in", "SG")
        self.refused(3, "cleo", "supplier", "update", "--yes", "yak", "--organised-in", "SG")
        self.refused(3, "cleo", "region", "add", "mars", "--in", "KE", "--supplier", "yak")
        self.assertIn("--location", self.refused(2, "cleo", "region", "add", "mars", "--in", "KE", "--location", "sure"))
        self.assertIn("health", self.refused(2, "sam", "data", "register", "digits/y", "--rows", "1", "--categories", "helth"))

    def test_5b_evidence_of_another_role_is_proposed(self):
        document = self.write("tia.pdf", "assessment")
        item = json.loads(self.run_as("cleo", "evidence", "add", "--kind", "tia", "--recipient", "lion", "--to", "SG",
                                      "--document", document, "--from", "2026-11-01", "--until", "2027-10-31", "--json"))
        self.assertFalse(item["accepted"])
        self.assertIn("dpo", self.refused(1, "cleo", "evidence", "accept", "--yes", item["evidence_id"], "--document", document))
        accept = ("evidence", "accept", item["evidence_id"], "--document", document)
        self.assertIn("nothing was signed", self.refused(2, "dora", *accept))
        self.assertIn("another --to", self.refused(2, "dora", *accept, "--yes", "--to", "SG,AE"))
        self.assertIn("another --until", self.refused(2, "dora", *accept, "--yes", "--until", "2028-10-31"))
        other = self.write("other.pdf", "another")
        self.refused(2, "cleo", "evidence", "accept", "--yes", item["evidence_id"], "--document", other)
        [row] = self.lines("aino", "evidence", "list")
        self.assertEqual((row["accepted"], row["accepted_by"], row["stated_by"]["role"]), (False, "", "compliance"))
        self.assertIn("proposed", self.run_as("aino", "evidence", "list"))

    def test_6_init_checks_the_same(self):
        federation = self.federation
        good = federation.federation_file.read_text()
        for old, new, words in (
                ("gaul: {organised_in: FR", "gaul: {certifications: [iso27001], organised_in: FR", ("certifications", "iso-27001")),
                ("cleo: {roles: [compliance]}", "cleo: {roles: [Compliance]}", ("people.cleo.roles",)),
                ("cleo: {roles: [compliance]}", "cleo: {roles: []}", ("people.cleo.roles",)),
                ("operator: {roles: [admin, operator]}", "operator: {roles: [admin, operator, dpo]}",
                 ("people.operator.roles", "holds no role that decides about policies", "officer: {roles: [dpo]}")),
                ("  dora: {roles: [dpo]}\n  dirk: {roles: [dpo]}\n", "",
                 ("gdpr-chapter-v needs 2 of dpo, legal besides its author (dpo)", "nobody holds dpo",
                  "add to `people` of federation.yaml:\n  officer-1: {roles: [dpo]}\n  officer-2: {roles: [dpo]}")),
                ("cleo: {roles: [compliance]}", "cleo: {roles: [compliance], request: nowhere.request}",
                 ("people.cleo.request", "carnet user keygen cleo")),
                ("labels: {categories: [none]}", "labels: {categories: [none, health]}", ("stands alone",)),
                ("labels: {categories: [none]}", "labels: {categories: [person]}", ("categories", "personal")),
                ("location_evidence: claimed", "location_evidence: provider", ("location_evidence", "instance-identity"))):
            self.assertIn(old, good)
            path = self.write("bad.yaml", good.replace(old, new, 1))
            done = federation.call("init", "-f", path, "--state", federation.folder / "never")
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)
            self.assertFalse((federation.folder / "never").exists())

    def test_7_a_place_stands_on_its_evidence_and_falls_with_what_is_observed(self):
        region = lambda: json.loads(self.run_as("aino", "region", "show", "sg", "--json"))
        said = self.refused(2, "cleo", "region", "update", "--yes", "sg", "--location", "provider")
        self.assertIn("--kind instance-identity --recipient lion --to SG", said)
        identity = self.write("identity.json", "{}")
        self.run_as("cleo", "evidence", "add", "--kind", "instance-identity", "--recipient", "lion", "--to", "SG", "--document",
                    identity, "--from", "2020-01-01", "--until", "2090-01-01")
        self.run_as("cleo", "region", "update", "--yes", "sg", "--location", "provider")
        self.assertEqual((region()["location"], region()["contradictions"]), ("provider", []))
        observed = ("region", "contradict", "sg", "--observed", "address", "--seen-in", "MY", "--document", identity)
        self.assertIn("compliance", self.refused(1, "sam", *observed))
        self.assertIn("one of", self.refused(2, "cleo", "region", "contradict", "sg", "--observed", "rumour"))
        self.assertIn("contradicted sg (record", self.run_as("cleo", *observed))
        shown = region()
        self.assertEqual((shown["location"], shown["location_registered"]), ("unknown", "provider"))
        self.assertEqual([(row["observed"], row["seen_in"]) for row in shown["contradictions"]], [("address", "MY")])
        text = self.run_as("aino", "region", "list")
        self.assertIn("unknown (contradicted)", text)
        self.assertIn("seen in MY", text)
        self.run_as("cleo", "region", "update", "--yes", "sg", "--location", "contract")
        self.assertEqual(region()["location"], "unknown", "another entry clears nothing")
        self.assertIn("cleared sg (record", self.run_as("cleo", "region", "clear", "sg", "--reason", "explained"))
        self.assertEqual(region()["location"], "contract")
        self.assertIn("nothing to clear", self.refused(2, "cleo", "region", "clear", "sg", "--reason", "explained"))

    def test_8_an_audit_finds_nothing(self):
        federation = self.federation
        trust = federation.folder / "trust"
        federation.run("ledger", "trust", "--state", federation.home, "--out", trust)
        done = federation.call("audit", "--state", federation.home, "--trust", trust / "trust.policy")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
