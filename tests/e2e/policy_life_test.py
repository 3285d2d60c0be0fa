#!/usr/bin/python3
"""A rule is changed by the people who own it: from `carnet init` to a changed, tested, impact-checked, approved and
activated rule in at most eight commands, which docs/policies.md shows; a job that was refused before goes on after. And
a person enrols from a machine of her own, with keys that the coordinator never sees."""

import json
import re
import unittest

from federation import OPEN_FEDERATION, ROOT, FederationTest, wait_for

COMMANDS_MAX = 8
PEOPLE = """
people:
  operator: {{roles: [admin, operator, member]}}
  olga: {{roles: [compliance]}}
  cleo: {{roles: [compliance]}}
  luis: {{roles: [legal, dpo]}}
"""
CLAIMED = OPEN_FEDERATION.replace("supplier: condor, location_evidence: contract", "supplier: condor, location_evidence: claimed")
NEW_CASE = ("  - {name: a claimed place of condor's, set: {to.location_grade: claimed, recipient.org: condor}, "
            "expect: allow}\n")


class PolicyLife(FederationTest):
    options = {"federation": CLAIMED + PEOPLE}

    def context(self, person):
        return {"CARNET_CONTEXT": str(self.federation.home / "people" / person / "context.yaml")}

    def person(self, name, *arguments, expect=0):
        """One command as this person types it."""
        self.commands.append(arguments)
        done = self.federation.call(*arguments, env=self.context(name))
        self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def setUp(self):
        self.commands = []

    def edit(self):
        """What Olga does in her editor: the contract with condor is being signed, so its word is enough for now."""
        house = self.federation.folder / "policies/house.yaml"
        text = house.read_text()
        old = "      to.location_grade: {in: [claimed]}\n"
        self.assertIn(old, text)
        house.write_text(text.replace(old, old + "    unless:\n      recipient.org: {is: condor}\n"))
        tests = self.federation.folder / "policies/tests.yaml"
        tests.write_text(tests.read_text().replace("cases:\n", "cases:\n" + NEW_CASE, 1))
        return self.federation.folder / "policies"

    def test_1_a_rule_is_changed_in_eight_commands_and_the_job_goes_on(self):
        federation = self.federation
        self.commands += [("init",), ("coordinator", "run")]
        federation.start_all(("fr-1", "br-1"))
        job = federation.submit(federation.write_job(rounds=1, minimum=2, target=2, evaluate=0))
        wait_for(lambda: "eligible workers" in federation.status(job)["waiting_for"], "the job to be refused in Brazil")
        rules = self.edit()
        self.assertIn("cases pass", self.person("olga", "policy", "test", rules))
        said = self.person("olga", "policy", "propose", rules)
        digest = re.search(r"proposed ([0-9a-f]{64})", said).group(1)
        self.assertIn("DENY→ALLOW", said)
        self.assertIn("house: 0 of 2 from compliance, legal", said)
        # Hers is not counted, nor is it taken.
        own = federation.call("policy", "approve", digest, env=self.context("olga"))
        self.assertNotEqual(own.returncode, 0)
        early = federation.call("policy", "activate", digest, env=self.context("olga"))
        self.assertNotEqual(early.returncode, 0)
        self.assertIn("house has 0 of 2 from compliance, legal", early.stderr)
        self.assertEqual(federation.status(job)["state"], "waiting")
        self.assertIn("approved", self.person("cleo", "policy", "approve", digest))
        self.assertIn("approved", self.person("luis", "policy", "approve", digest))
        self.assertIn("in force", self.person("olga", "policy", "activate", digest))
        self.assertLessEqual(len(self.commands), COMMANDS_MAX, self.commands)
        wait_for(lambda: federation.status(job)["state"] == "completed", "the job to go on with the new rule")
        history = federation.call("policy", "history", "--json", env=self.context("olga")).stdout.splitlines()
        self.assertEqual([json.loads(line)["state"] for line in history], ["superseded", "in-force"])

    def test_2_a_stop_by_one_person_is_in_force_at_once(self):
        rules = self.federation.folder / "policies"
        house = rules / "house.yaml"
        house.write_text(house.read_text() + "  - {id: stop, effect: deny, when: {to.jurisdiction: {is: BR}}}\n")
        said = self.person("olga", "policy", "propose", rules)
        self.assertIn("it only tightens", said)
        def in_force():
            status = self.federation.call("policy", "status", "--json", env=self.context("olga")).stdout.splitlines()
            return json.loads(status[0])["revision"] == 3
        wait_for(in_force, "the stricter bundle to be in force")

    def test_3_a_person_enrols_with_keys_of_her_own(self):
        federation = self.federation
        token, out = federation.folder / "mia.invitation", federation.folder / "mia"
        federation.run("user", "invite", "--roles", "member,legal", "--jurisdiction", "DE", "--organisation", "acme", "--out", token, "--state", federation.home)
        said = federation.run("user", "enroll", "--join", token, "--out", out)
        user = re.search(r"enrolled (u-[a-z2-7]{16})", said).group(1)
        seed = (out / "keys/statement.key").read_bytes()
        for path in federation.home.rglob("*"):
            if path.is_file():
                self.assertNotIn(seed[-32:], path.read_bytes(), path)
        mine = {"CARNET_CONTEXT": str(out / "context.yaml")}
        self.assertEqual(federation.call("job", "list", env=mine).returncode, 0)
        # A token works once; an admin who is no lawyer makes none.
        again = federation.call("user", "enroll", "--join", token, "--out", federation.folder / "other")
        self.assertNotEqual(again.returncode, 0)
        admin = federation.call("user", "role", "grant", user, "legal", "--state", federation.home)
        self.assertNotEqual(admin.returncode, 0)
        self.person("luis", "user", "role", "grant", user, "legal")
        users = {row["user_id"]: row for row in federation.json_lines("user", "list")}
        self.assertIn("legal", users[user]["roles"])
        federation.run("user", "revoke", user, "--reason", "left", "--state", federation.home)
        wait_for(lambda: federation.call("job", "list", env=mine).returncode != 0, "her certificate to be refused")

    def test_4_the_documentation_shows_these_commands(self):
        page = (ROOT / "docs/policies.md").read_text()
        for words in ("carnet policy test", "carnet policy propose", "carnet policy approve", "carnet policy activate"):
            self.assertIn(words, page)


if __name__ == "__main__":
    unittest.main()
