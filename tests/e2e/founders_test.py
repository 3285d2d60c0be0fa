#!/usr/bin/python3
"""How a federation begins: founders who bring keys of their own, which the coordinator never has; people who can renew
the policies, or no federation; one person alone, who is told whom to enrol and until when, and does it with the commands
that `carnet init` printed."""

import json
import re
import shutil
import unittest

import federation as harness
from federation import OPEN_FEDERATION, Federation, FederationTest, say, wait_for

PEOPLE = """
people:
  operator: {{roles: [admin, operator, member]}}
  olga: {{roles: [compliance], request: olga.request}}
  cleo: {{roles: [compliance], request: cleo.request}}
  luis: {{roles: [legal]}}
  dora: {{roles: [dpo, data-steward]}}
  dirk: {{roles: [dpo]}}
"""
OWN = ("olga", "cleo")


class WithKeysOfTheirOwn(Federation):
    """Olga and Cleo make keys on machines of their own before there is a federation."""

    def __init__(self, folder, **options):
        self.made = {}
        super().__init__(folder, **options)

    def run(self, *arguments):
        if arguments[0] == "init":
            for name in OWN:
                said = super().run("user", "keygen", name, "--out", self.folder / name)
                self.made[name] = re.search(r"ed25519 ([0-9a-f]{64})", said).group(1)
                shutil.copy(self.folder / name / f"{name}.request", self.folder)
        return super().run(*arguments)


class Founders(FederationTest):
    @classmethod
    def setUpClass(cls):
        # As FederationTest, with the class above.
        plain, harness.Federation = harness.Federation, WithKeysOfTheirOwn
        cls.options = {"federation": OPEN_FEDERATION + PEOPLE}
        try:
            super().setUpClass()
        finally:
            harness.Federation = plain
        cls.federation.start_coordinator()

    def context(self, name):
        folder = self.federation.folder if name in OWN else self.federation.home / "people"
        return {"CARNET_CONTEXT": str(folder / name / "context.yaml")}

    def person(self, name, *arguments, expect=0):
        done = self.federation.call(*arguments, env=self.context(name))
        self.assertEqual(done.returncode, expect, f"{name}: {arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def test_1_founders_take_certificates_for_keys_that_home_never_had(self):
        federation = self.federation
        for name in OWN:
            given = federation.home / "people" / name
            self.assertFalse((given / "keys").exists())
            self.assertIn(f"{name} ed25519 {federation.made[name]}", federation.said_by_init)
            secret = (federation.folder / name / "keys/statement.key").read_text().split()[-1].encode()
            for path in federation.home.rglob("*"):
                if path.is_file():
                    self.assertNotIn(secret, path.read_bytes(), path)
            shutil.copytree(given, federation.folder / name, dirs_exist_ok=True)
            shown = json.loads(self.person(name, "user", "show", "--json"))
            self.assertEqual(shown["public_key"], federation.made[name])
            users = {row["user_id"]: row for row in map(json.loads, self.person(name, "user", "list", "--json").splitlines())}
            self.assertEqual(users[shown["user_id"]]["public_key"], federation.made[name])
            self.person(name, "user", "renew")
        self.assertIn("made here for dirk, dora, luis, operator", federation.said_by_init)
        doctor = federation.call("doctor", "--state", federation.home)
        self.assertIn("people/ holds private keys of 3 people", doctor.stdout)
        self.assertIn("no admin decides about policies", doctor.stdout)

    def test_2_whoever_may_propose_any_policy_renews_all_of_them(self):
        said = self.person("olga", "policy", "renew")
        digest = re.search(r"\b([0-9a-f]{64})\b", said).group(1)
        for name in ("cleo", "luis", "dora"):
            self.person(name, "policy", "approve", digest)
        wait_for(lambda: json.loads(self.person("olga", "policy", "status", "--json").splitlines()[0])["revision"] == 2,
                 "the renewed bundle to be in force")

    def test_3_an_admin_holds_no_role_of_policy(self):
        federation = self.federation
        mixed = federation.call("user", "invite", "--roles", "admin,legal", "--out", federation.folder / "x",
                                "--state", federation.home)
        self.assertEqual(mixed.returncode, 2, mixed.stdout + mixed.stderr)
        self.assertIn("holds no role that decides about policies", mixed.stderr)
        users = federation.json_lines("user", "list")
        (admin,) = (row["user_id"] for row in users if "admin" in row["roles"])
        (legal,) = (row["user_id"] for row in users if "legal" in row["roles"])
        self.person("luis", "user", "role", "grant", admin, "legal", expect=2)
        done = federation.call("user", "role", "grant", legal, "admin", "--state", federation.home)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertFalse(any(row["bootstrap"] for row in users))

    def test_4_check_says_whether_people_can_approve(self):
        federation = self.federation
        users = federation.folder / "users.json"
        users.write_text(federation.run("user", "list", "--json", "--state", federation.home))
        rules = federation.folder / "policies"
        federation.run("policy", "check", rules, "--users", users)
        federation.run("policy", "check", rules, "--federation", federation.federation_file)
        for option, path in (("--users", users), ("--federation", federation.federation_file)):
            without = federation.folder / "without"
            without.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if "dpo" not in line))
            done = federation.call("policy", "check", rules, option, without)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
            self.assertIn("nobody holds dpo", done.stderr)


class Alone(FederationTest):
    """One person, as in the README, who does what init printed."""

    def test_who_founded_alone_is_told_whom_to_enrol_and_until_when(self):
        federation = self.federation
        said = federation.said_by_init
        say(said)
        self.assertEqual(said.count("bootstrap: one person holds every role"), 1)
        self.assertRegex(said, r"Nothing crosses from \d{4}-\d\d-\d\dT[^ ]*Z on, unless 2 more people are enrolled")
        federation.start_coordinator()
        (row,) = federation.json_lines("user", "list")
        self.assertTrue(row["bootstrap"])
        self.assertIn("nobody else holds", federation.call("doctor", "--state", federation.home).stdout)
        contexts, user = [], None
        for line in said.splitlines():
            words = re.sub(r" {2,}\(.*", "", line.strip()).replace("USER", user or "USER").split()
            if words[:3] == ["carnet", "user", "invite"]:
                words[words.index("--out") + 1] = str(federation.folder / words[words.index("--out") + 1])
                federation.run(*words[1:])
            elif words[:3] == ["carnet", "user", "enroll"]:
                contexts.append(federation.folder / f"officer-{len(contexts) + 1}")
                words[words.index("--join") + 1] = str(federation.folder / words[words.index("--join") + 1])
                words[words.index("--out") + 1] = str(contexts[-1])
                user = re.search(r"enrolled (u-[a-z2-7]{16})", federation.run(*words[1:])).group(1)
            elif words[:4] == ["carnet", "user", "role", "grant"]:
                federation.run(*words[1:])
        self.assertEqual(len(contexts), 2)
        digest = re.search(r"\b([0-9a-f]{64})\b", federation.run("policy", "renew", "--state", federation.home)).group(1)
        for folder in contexts:
            done = federation.call("policy", "approve", digest, env={"CARNET_CONTEXT": str(folder / "context.yaml")})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        wait_for(lambda: federation.json_lines("policy", "status")[0]["revision"] == 2, "the policies to be renewed")


if __name__ == "__main__":
    unittest.main()
