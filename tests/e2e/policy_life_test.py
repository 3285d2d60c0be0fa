#!/usr/bin/python3
"""A rule is changed by the people who own it: from `carnet init` to a changed, tested, impact-checked, approved and
activated rule in at most eight commands, which docs/policies.md shows; a job that was refused before goes on after. And
a person enrols from a machine of her own, with keys that the coordinator never sees."""

import json
import os
import re
import subprocess
import unittest

from federation import BINARY, OPEN_FEDERATION, ROOT, FederationTest, say, wait_for

COMMANDS_MAX = 8
PEOPLE = """
people:
  operator: {{roles: [admin, operator, member]}}
  olga: {{roles: [compliance, data-steward]}}
  cleo: {{roles: [compliance]}}
  luis: {{roles: [legal, dpo]}}
"""
CLAIMED = OPEN_FEDERATION.replace("supplier: condor, location_evidence: contract", "supplier: condor, location_evidence: claimed")
# The walk of the page: `person$ command`, and what it prints.
WALK = re.compile(r"<!-- test: policy-walk -->\n```console\n(.*?)\n```", re.DOTALL)
PROMPT = re.compile(r"^([a-z]*)\$ (carnet .*)$", re.M)
# What differs from run to run: ids, digests, times, paths.
DIFFERS = ((re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"), (re.compile(r"\b[0-9a-f]{12}\b"), "<digest>"),
           (re.compile(r"\b([uj])-[a-z2-7]{16}\b"), r"\1-<id>"), (re.compile(r"\brecord \d+\b"), "record <n>"),
           (re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+"), "+<key>"),
           (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"))


def walk_of_the_page():
    """[(person, command, output)] of docs/policies.md."""
    (text,) = WALK.findall((ROOT / "docs/policies.md").read_text())
    parts = PROMPT.split(text)
    assert parts[0] == "", parts[0]
    return [(parts[n], parts[n + 1], parts[n + 2].strip("\n")) for n in range(1, len(parts), 3)]


def normal(text):
    for pattern, word in DIFFERS:
        text = pattern.sub(word, text)
    return text.strip("\n")


# Stands on the page for lines that it has shown before.
AGAIN = "  …"


class PolicyLife(FederationTest):
    options = {"federation": CLAIMED + PEOPLE}

    def context(self, person):
        return {"CARNET_CONTEXT": str(self.federation.home / "people" / person / "context.yaml")}

    def person(self, name, *arguments, expect=0):
        done = self.federation.call(*arguments, env=self.context(name))
        self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def edit(self):
        """What Olga does in her editor: the contract with condor is being signed, so its word is enough for now. The
        page shows both changes."""
        page = (ROOT / "docs/policies.md").read_text()
        (rule,) = re.findall(r"<!-- test: policy-edit -->\n```yaml\n(.*?)```", page, re.DOTALL)
        (case,) = re.findall(r"<!-- test: policy-case -->\n```yaml\n(.*?)```", page, re.DOTALL)
        house, tests = (self.federation.folder / "policies" / name for name in ("house.yaml", "tests.yaml"))
        old = "".join(rule.splitlines(keepends=True)[:4])  # what stood there before
        self.assertEqual(house.read_text().count(old), 1, old)
        house.write_text(house.read_text().replace(old, rule))
        self.assertEqual(tests.read_text().count("cases:\n"), 1)
        tests.write_text(tests.read_text().replace("cases:\n", "cases:\n" + case))

    def as_the_page_has_it(self, person, command, digest):
        """Runs one line of the page where Olga's folder is; what it prints. `digest`: that of the page and the real one."""
        if digest is not None:
            command = command.replace(digest[0][:6], digest[1][:6])
        folder = self.federation.folder
        (folder / "bin").mkdir(exist_ok=True)
        if not (folder / "bin/carnet").exists():
            (folder / "bin/carnet").symlink_to(BINARY)
        done = subprocess.run(["bash", "-e", "-u", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, **self.context(person), "PATH": f"{folder}/bin:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        say(f"{person}$ {command}\n{done.stdout}")
        return done.stdout

    def agree(self, command, said, shown, before):
        """What a command printed against the page; `before`: lines that the page has shown, which gets these."""
        actual, page = normal(said).splitlines(), normal(shown).splitlines()
        if AGAIN in page:
            at, rest = page.index(AGAIN), len(page) - page.index(AGAIN) - 1
            again = actual[at:len(actual) - rest]
            self.assertTrue(again and set(again) <= before, f"{command}: not shown before: {set(again) - before}")
            page[at:at + 1] = again
        self.assertEqual(actual, page, f"{command}: docs/policies.md says otherwise")
        before.update(page)

    def test_1_a_rule_is_changed_as_the_page_shows_it_and_the_job_goes_on(self):
        federation = self.federation
        walk = walk_of_the_page()
        self.assertLessEqual(len(walk), COMMANDS_MAX)
        # The first two are how this federation came to be.
        self.assertEqual([command for _, command, _ in walk[:2]],
                         ["carnet init -f federation.yaml --state home", "carnet coordinator run --state home &"])
        self.agree(walk[0][1], federation.said_by_init.replace(f"{federation.folder}/", ""), walk[0][2], set())
        federation.start_all(("fr-1", "br-1"))
        job = federation.submit(federation.write_job(rounds=1, minimum=2, target=2, evaluate=0))
        wait_for(lambda: "eligible workers" in federation.status(job)["waiting_for"], "the job to be refused in Brazil")
        self.edit()
        digest, shown = None, set()
        for person, command, output in walk[2:]:
            said = self.as_the_page_has_it(person, command, digest)
            self.agree(command, said, output, shown)
            if " propose " in command:
                digest = [re.search(r"proposed ([0-9a-f]{64})", text).group(1) for text in (output, said)]
                # Hers is not counted, nor is it taken; and it is too early.
                self.assertNotEqual(
                    federation.call("policy", "approve", digest[1], env=self.context("olga")).returncode, 0)
                early = federation.call("policy", "activate", digest[1], env=self.context("olga"))
                self.assertNotEqual(early.returncode, 0)
                self.assertIn("house has 0 of 2 from compliance, legal", early.stderr)
                self.assertEqual(federation.status(job)["state"], "waiting")
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


if __name__ == "__main__":
    unittest.main()
