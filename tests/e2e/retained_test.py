#!/usr/bin/python3
"""A policy asks to keep every round's deltas for an auditor who enrolled from a machine of her own: the audit computes
each round again with her key, on the state and offline on what was exported; finds a changed delta; says what it could
not compute; and nobody without her key can."""

import base64
import json
import os
import re
import shutil
import subprocess
import unittest

from federation import BINARY, OPEN_FEDERATION, FederationTest, say

PEOPLE = """
people:
  operator: {{roles: [admin, operator, member]}}
  olga: {{roles: [compliance, data-steward]}}
  cleo: {{roles: [compliance]}}
  luis: {{roles: [legal, dpo]}}
"""
KEEP = """policy: audits
kind: guardrail
title: Our auditor can compute every round again
approvals: {{propose: [compliance], need: 1, from: [legal]}}
effective: {{from: 2026-01-01}}
rules:
  - id: rounds
    effect: require
    when: {{op: {{is: send_delta}}}}
    require:
      - {{id: keep, phase: runtime, retain_deltas: {{for: {auditor}, at_least: 30d, at_most: 365d}}}}
"""
SLOTS = ("home-1", "fr-1", "sg-1", "ae-1", "br-1")
ROUNDS = 3


class Retained(FederationTest):
    options = {"federation": OPEN_FEDERATION + PEOPLE}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_all(SLOTS)
        cls.ada = federation.folder / "ada"
        auditor = cls.enroll("ada")
        cls.other = federation.folder / "eve"
        cls.enroll("eve")
        cls.change_rules(KEEP.format(auditor=auditor))
        cls.auditor = auditor
        cls.job, _ = federation.train(rounds=ROUNDS, optimizer="{momentum: {learning_rate: 1, momentum: 0.9}}",
                                      codec="int8")
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        cls.trust = federation.folder / "trust/trust.policy"
        federation.coordinator.stop()
        cls.bundle = federation.folder / "whole.carnet-audit"
        cls.exported = json.loads(federation.run(
            "audit", "export", "--state", federation.home, "--job", cls.job, "--deltas", "--out", cls.bundle, "--json"))

    @classmethod
    def enroll(cls, name):
        """Invites and enrols a person with keys in a folder of her own; her id."""
        federation = cls.federation
        token = federation.folder / f"{name}.invitation"
        federation.run("user", "invite", "--roles", "auditor", "--out", token, "--state", federation.home)
        said = federation.run("user", "enroll", "--join", token, "--out", federation.folder / name)
        return re.search(r"enrolled (u-[a-z2-7]{16})", said).group(1)

    @classmethod
    def person(cls, name, *arguments):
        done = cls.federation.call(*arguments,
                                   env={"CARNET_CONTEXT": str(cls.federation.home / "people" / name / "context.yaml")})
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    @classmethod
    def change_rules(cls, text):
        """One more policy, proposed, approved and in force."""
        rules = cls.federation.folder / "policies"
        (rules / "audits.yaml").write_text(text)
        digest = re.search(r"proposed ([0-9a-f]{64})", cls.person("olga", "policy", "propose", rules)).group(1)
        cls.person("cleo", "policy", "approve", digest)
        cls.person("luis", "policy", "approve", digest)
        cls.person("olga", "policy", "activate", digest)

    def audit(self, *arguments, offline=False):
        command = [BINARY, "audit", "--json", "--trust", self.trust, *arguments]
        if offline and os.geteuid() == 0:
            command = ["unshare", "-n", *command]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def copy(self, name):
        """The export under another name."""
        bundle = self.federation.folder / f"{name}.carnet-audit"
        shutil.copy(self.bundle, bundle)
        shutil.copytree(f"{self.bundle}.blobs", f"{bundle}.blobs")
        return bundle

    def test_keys_are_on_record_for_her_and_gone_at_the_coordinator(self):
        kept = self.federation.records_of("key-retained", self.job)
        self.assertEqual([record["predicate"]["round"] for record in kept], [1, 2, 3])
        self.assertEqual({record["predicate"]["kept_for"] for record in kept}, {self.auditor})
        destroyed = {key for record in self.federation.records_of("key-destroyed") for key in record["predicate"]["key_ids"]}
        for record in kept:
            key_id = record["predicate"]["key_id"]
            self.assertIn(key_id, destroyed)
            self.assertFalse((self.federation.home / "keys" / f"{key_id}.key").exists())
        deltas = [path for path in (self.federation.home / "blobs/delta").iterdir() if path.suffix != ".header"]
        self.assertEqual(len(deltas), ROUNDS * 4)

    def test_the_audit_computes_every_round_again_on_the_state(self):
        code, report = self.audit("--state", self.federation.home, "--key", self.ada)
        self.assertEqual((code, report["verdict"], report["findings"]), (0, "good", []), report)
        self.assertEqual(report["numbers"]["aggregations_recomputed"], ROUNDS)
        self.assertEqual([(row["job_id"], row["round"]) for row in report["recomputed"]],
                         [(self.job, number) for number in range(1, ROUNDS + 1)])
        self.assertFalse([line for line in report["not_proven"] if "computed again" in line])

    def test_and_offline_on_what_was_exported(self):
        self.assertEqual((self.exported["deltas"], self.exported["models"], self.exported["gone"]), (ROUNDS * 4, 1, 0))
        code, report = self.audit("--bundle", self.bundle, "--key", self.ada, offline=True)
        self.assertEqual((code, report["findings"]), (0, []), report)
        self.assertEqual(report["numbers"]["aggregations_recomputed"], ROUNDS)
        text = self.federation.call("audit", "--trust", self.trust, "--bundle", self.bundle, "--key", self.ada).stdout
        self.assertIn(f"{self.job} round 2: record", text)

    def test_nobody_else_computes_anything(self):
        for arguments, why in (((), "the person for whom the round's key is kept does not audit"),
                               (("--key", self.other), "the round's key is kept for another person")):
            code, report = self.audit("--bundle", self.bundle, *arguments)
            self.assertEqual(code, 0, report)
            self.assertEqual(report["numbers"]["aggregations_recomputed"], 0)
            self.assertEqual([finding["actual"] for finding in report["findings"]],
                             [f"not recomputed: {ROUNDS}, because {why}"])

    def test_a_changed_delta_is_bad_evidence_of_its_round(self):
        bundle = self.copy("changed")
        records = self.federation.records_of("contribution", self.job)
        second = next(record["predicate"] for record in records if record["predicate"]["round"] == 2)
        path = bundle.parent / f"{bundle.name}.blobs/delta" / base64.b64decode(second["sealed_sha256"]).hex()
        changed = bytearray(path.read_bytes())
        changed[len(changed) // 2] ^= 1
        path.write_bytes(changed)
        code, report = self.audit("--bundle", bundle, "--key", self.ada)
        self.assertEqual(code, 1, report)
        finding = next(finding for finding in report["findings"] if finding["check"] == "recompute")
        self.assertEqual(finding["severity"], "bad evidence")
        aggregates = self.federation.records_of("aggregate", self.job)
        self.assertEqual(finding["index"], aggregates[1]["index"])
        self.assertIn("round 2 of", finding["expected"])
        say(finding)

    def test_a_header_of_another_delta_is_bad_evidence(self):
        bundle = self.copy("header")
        folder = bundle.parent / f"{bundle.name}.blobs/delta"
        headers = sorted(path for path in folder.iterdir() if path.suffix == ".header")
        shutil.copy(headers[0], headers[1])
        code, report = self.audit("--bundle", bundle, "--key", self.ada)
        self.assertEqual(code, 1, report)

    def test_a_missing_delta_is_said_and_the_rounds_after_it_with_it(self):
        bundle = self.copy("missing")
        folder = bundle.parent / f"{bundle.name}.blobs"
        shutil.rmtree(folder / "delta")
        (folder / "delta").mkdir()
        code, report = self.audit("--bundle", bundle, "--key", self.ada)
        self.assertEqual(code, 0, report)
        said = " ".join(finding["actual"] for finding in report["findings"])
        self.assertIn("not recomputed: ", said)
        self.assertIn("not at hand", said)
        self.assertTrue([line for line in report["not_proven"] if "computed again" in line])

    def test_a_folder_without_her_key_is_a_clear_error(self):
        done = self.federation.call("audit", "--trust", self.trust, "--bundle", self.bundle, "--key", self.folder / "trust")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no wrapping.key there", done.stderr)

    def test_every_decision_is_a_line_of_opas_decision_log(self):
        home = self.federation.home
        lines = [json.loads(line) for line in
                 self.federation.run("policy", "decisions", "--opa", "--state", home).splitlines()]
        _, report = self.audit("--state", home)
        self.assertEqual(len(lines), report["numbers"]["decisions_taken_again"])
        self.assertEqual(len({line["decision_id"] for line in lines}), len(lines))
        for line in lines:
            self.assertEqual(set(line), {"labels", "decision_id", "bundles", "path", "input", "result", "requested_by",
                                         "timestamp"})
            self.assertRegex(line["bundles"]["carnet"]["revision"], r"^[12]@[0-9a-f]{64}$")
            self.assertRegex(line["timestamp"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d")
            self.assertIs(line["result"]["allow"], True)
            self.assertRegex(line["input"]["facts_sha256"], r"^[0-9a-f]{64}$")
        self.assertIn("carnet/send_delta", {line["path"] for line in lines})
        late = self.federation.run("policy", "decisions", "--opa", "--state", home, "--job", self.job, "--since",
                                   lines[-1]["input"]["record"]).splitlines()
        self.assertEqual(json.loads(late[-1]), lines[-1])
        self.assertLess(len(late), len(lines))

    def test_what_was_exported_holds_no_key(self):
        secrets = [path for folder in (self.federation.home / "keys", self.ada / "keys") for path in folder.iterdir()]
        self.assertTrue(secrets)
        exported = [path for path in (self.bundle.parent / f"{self.bundle.name}.blobs").rglob("*") if path.is_file()]
        for secret in secrets:
            line = secret.read_bytes().split(b"\n")[1]
            for path in [self.bundle, *exported]:
                self.assertNotIn(line, path.read_bytes(), (secret, path))


if __name__ == "__main__":
    unittest.main()
