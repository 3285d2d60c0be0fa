#!/usr/bin/python3
"""A real federation with people in its data, refusals, a staging and withdrawn evidence: `carnet audit` takes every
decision again, on the state itself and offline on one exported file; and finds what was changed in that file."""

import datetime
import json
import os
import subprocess
import tarfile
import unittest

from federation import BINARY, ROOT, FederationTest, say


def demo_federation():
    """examples/digits/federation.yaml with free ports."""
    text = (ROOT / "examples/digits/federation.yaml").read_text().replace("{", "{{").replace("}", "}}")
    return text + 'listen: {{grpc: "127.0.0.1:{grpc}", https: "127.0.0.1:{https}"}}\n'


def decisions_on_record(records):
    """How many decisions the records hold that allow, and how many that do not. A refusal holds every flow's."""
    allowed = denied = 0
    for record in records:
        predicate = record["predicate"]
        if record["type"] == "refusal":
            denied += sum(decision["verdict"] != "VERDICT_ALLOW" for decision in predicate["decisions"])
            allowed += sum(decision["verdict"] == "VERDICT_ALLOW" for decision in predicate["decisions"])
        for part in (predicate, *predicate.get("members", ()), *predicate.get("included", ()), predicate.get("member", {})):
            allowed += len(part.get("authorisations", ())) if isinstance(part, dict) else 0
    return allowed, denied


class Audit(FederationTest):
    options = {"federation": demo_federation()}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_all()
        papers = [cls.add_evidence(kind, "lion", "SG") for kind in ("scc-2021-914", "tia")]
        federation.call("data", "stage", "digits/fr", "--to", "sg-1", "--state", federation.home)  # refused
        federation.run("data", "stage", "digits/fr", "--to", "home-1", "--wait", "--state", federation.home)
        cls.job, _ = federation.train(rounds=3, minimum=2, target=3)
        cls.early_head = federation.folder / "early.head"
        cls.early_head.write_text(federation.run("ledger", "show", "--head", "--state", federation.home))
        federation.run("evidence", "withdraw", papers[1], "--state", federation.home)
        federation.train(rounds=1, minimum=1, target=3)
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        cls.trust = federation.folder / "trust/trust.policy"
        cls.bundle = federation.folder / "whole.carnet-audit"
        federation.coordinator.stop()  # what is audited twice must not grow in between
        federation.run("audit", "export", "--state", federation.home, "--job", cls.job, "--since", cls.early_head,
                       "--out", cls.bundle)

    @classmethod
    def add_evidence(cls, kind, recipient, place):
        document = cls.federation.folder / f"{kind}.txt"
        document.write_text(f"{kind} of acme and {recipient}\n")
        today = datetime.datetime.now(datetime.timezone.utc).date()
        return cls.federation.json("evidence", "add", "--kind", kind, "--recipient", recipient, "--to", place, "--document",
                                   document, "--from", today, "--until", today + datetime.timedelta(days=30))["evidence_id"]

    def audit(self, *arguments):
        done = self.federation.call("audit", "--json", "--trust", self.trust, *arguments)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def test_every_decision_of_the_state_is_taken_again(self):
        code, report = self.audit("--state", self.federation.home, "--since", self.early_head)
        self.assertEqual((code, report["verdict"], report["findings"]), (0, "good", []))
        allowed, denied = decisions_on_record(self.federation.records())
        numbers = report["numbers"]
        say(f"audited: {numbers}")
        self.assertGreater(denied, 0)
        self.assertEqual(numbers["decisions_taken_again"], allowed + denied)
        self.assertEqual(numbers["of_them_denials"], denied)
        self.assertEqual(numbers["records_replayed"], len(self.federation.records()))
        self.assertEqual(numbers["signers_checked"], numbers["records"])
        self.assertEqual(numbers["earlier_heads_checked"], 1)
        self.assertEqual(numbers["keys_created"], numbers["keys_destroyed"])
        self.assertEqual({job["state"] for job in report["jobs"]}, {"completed"})
        self.assertTrue(report["not_proven"])

    def test_the_exported_file_is_audited_offline_with_the_same_result(self):
        _, state = self.audit("--state", self.federation.home, "--since", self.early_head)
        command = [BINARY, "audit", "--json", "--bundle", self.bundle, "--trust", self.trust]
        if os.geteuid() == 0:
            command = ["unshare", "-n", *command]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["numbers"], state["numbers"])
        self.assertEqual(report["head"], state["head"])
        self.assertEqual([job["job_id"] for job in report["jobs"]], [self.job])

    def test_the_exported_file_holds_no_key_and_nothing_of_the_vault(self):
        whole = self.bundle.read_bytes()
        secrets = [path for name in ("keys", "vault") for path in (self.federation.home / name).rglob("*") if path.is_file()]
        self.assertTrue(secrets)
        for path in secrets:
            content = path.read_bytes()
            self.assertTrue(len(content) < 8 or content not in whole, path)
        with tarfile.open(self.bundle) as archive:
            tops = {name.split("/")[0] for name in archive.getnames()}
        self.assertEqual(tops, {"about.json", "checkpoint", "heads", "statements", "tile"})

    def test_reports_are_written_as_text_and_as_a_page_without_scripts(self):
        text, page = self.federation.folder / "audit.txt", self.federation.folder / "audit.html"
        done = self.federation.call("audit", "--bundle", self.bundle, "--trust", self.trust, "--out", text, "--html", page)
        self.assertEqual((done.returncode, done.stdout), (0, "good\n"))
        self.assertIn("decisions taken again", text.read_text())
        self.assertIn("This does not prove", text.read_text())
        self.assertIn("default-src 'none'", page.read_text())
        self.assertNotIn("<script", page.read_text())

    def test_a_changed_file_is_found(self):
        with tarfile.open(self.bundle) as archive:
            first = next(member for member in archive if member.name.startswith("statements/"))
        changed = bytearray(self.bundle.read_bytes())
        changed[first.offset_data + 100] ^= 1  # in the statement of record 0
        copy = self.federation.folder / "changed.carnet-audit"
        copy.write_bytes(changed)
        code, report = self.audit("--bundle", copy)
        self.assertEqual((code, report["findings"][0]["check"], report["findings"][0]["index"]), (1, "log", 0))
        copy.write_bytes(self.bundle.read_bytes()[:-512])
        self.assertEqual(self.audit("--bundle", copy)[0], 1)

    def test_what_is_missing_and_what_is_used_wrongly_is_said(self):
        code, report = self.audit("--bundle", self.bundle, "--job", "j-zzzzzzzzzzzzzzzz")
        self.assertEqual((code, report["findings"][0]["check"]), (3, "job"))
        self.assertEqual(self.audit("--state", self.federation.folder / "nothing")[0], 3)
        self.assertEqual(self.federation.call("audit", "--bundle", self.bundle).returncode, 2)
        done = self.federation.call("audit", "export", "--state", self.federation.home, "--job", "j-zzzzzzzzzzzzzzzz",
                                    "--out", self.federation.folder / "none.carnet-audit")
        self.assertEqual(done.returncode, 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
