#!/usr/bin/python3
"""The log's key is rotated while a job trains, and the coordinator is killed around the record that says so.

Heads carry both signatures from the record on; workers, people and manifests follow; whoever holds the old trust.policy
still verifies. How the overlap ends is in tests/scenario/keys_test.cc and tests/unit/ledger/log_keys_test.cc.
"""

import unittest

from federation import SLOTS, FederationTest, check_ledger, say, stop_at_record, wait_for


def signatures(note):
    return len([line for line in note.splitlines() if line.startswith("\u2014 ")])


class LogKey(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.federation.start_all()

    def head(self):
        return (self.federation.home / "head").read_text()

    def test_1_a_kill_before_the_record_leaves_the_old_key_alone(self):
        federation = self.federation
        log = federation.folder / "stop-at.log"
        files = federation.key_files()
        federation.restart(stop_at_record("key-rotated", "before", log))
        done = federation.call("key", "rotate", "log", "--state", federation.home)
        wait_for(lambda: not federation.coordinator.alive, "the kill")
        self.assertEqual(done.returncode, 5, done.stdout + done.stderr)
        federation.start_coordinator()
        federation.wait_live(SLOTS)
        self.assertEqual(federation.records_of("key-rotated"), [])
        self.assertEqual(federation.key_files(), files)
        self.assertEqual(signatures(self.head()), 1)

    def test_2_a_kill_after_the_record_finds_both_keys_signing(self):
        federation = self.federation
        type(self).old_trust = federation.folder / "old-trust"
        federation.run("ledger", "trust", "--state", federation.home, "--out", self.old_trust)
        _, first = federation.train(rounds=2)
        type(self).before = federation.export(first_job(federation), "before")
        log = federation.folder / "stop-at-2.log"
        files = federation.key_files()
        federation.restart(stop_at_record("key-rotated", "after", log))
        job = federation.submit(federation.write_job(rounds=6))
        done = federation.call("key", "rotate", "log", "--overlap-days", "1", "--state", federation.home)
        wait_for(lambda: not federation.coordinator.alive, "the kill")
        self.assertEqual(done.returncode, 5, done.stdout + done.stderr)
        federation.start_coordinator()
        federation.wait_live(SLOTS)
        rotated = federation.records_of("key-rotated")
        self.assertEqual([r["predicate"]["kind"] for r in rotated], ["log"])
        # Besides the keys of the round that is open.
        self.assertIn(rotated[0]["predicate"]["key_id"], federation.key_files() - files)
        self.assertIn("log", federation.key_files())
        status = federation.wait_ended(job)
        self.assertEqual(status["state"], "completed", status)
        self.assertEqual(signatures(self.head()), 2)
        for slot in SLOTS:
            wait_for(lambda slot=slot: (federation.folder / slot / "log-keys").exists(), f"{slot} to follow the log")
        type(self).after = federation.export(job, "after")
        again = federation.call("key", "rotate", "log", "--state", federation.home)
        self.assertEqual(again.returncode, 2, again.stdout + again.stderr)
        say(again.stderr)

    def test_3_old_and_new_papers_verify_with_old_and_new_policies(self):
        federation = self.federation
        new_trust = federation.folder / "new-trust"
        federation.run("ledger", "trust", "--state", federation.home, "--out", new_trust)
        text = (new_trust / "trust.policy").read_text()
        self.assertEqual(text.count("\nlog "), 2, text)
        federation.run("ledger", "export", "--state", federation.home, "--tiles", federation.folder / "tiles", "--statements")
        # An auditor who dropped the old key, as after a theft.
        newest = federation.folder / "newest.policy"
        newest.write_text("".join(line + "\n" for i, line in enumerate(text.splitlines())
                                  if not line.startswith("log ") or line == text.splitlines()[max(
                                      j for j, other in enumerate(text.splitlines()) if other.startswith("log "))]))
        for policy in (self.old_trust / "trust.policy", new_trust / "trust.policy", newest):
            done = federation.call("ledger", "verify", federation.folder / "tiles", "--trust", policy)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for out, policies in ((self.before, (self.old_trust, new_trust)), (self.after, (self.old_trust, new_trust))):
            for policy in policies:
                done = federation.call("manifest", "verify", out / "model.safetensors", "--manifest", out / "model.carnet",
                                       "--trust", policy / "trust.policy")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_4_who_begins_anew_or_comes_later_follows(self):
        federation = self.federation
        federation.restart()
        federation.workers["sg-1"].stop()
        federation.start_worker("sg-1")
        federation.wait_live(SLOTS)
        invited = federation.json("user", "invite", "--roles", "member", "--out", federation.folder / "person.token")
        federation.run("user", "enroll", "--join", federation.folder / "person.token", "--out", federation.folder / "person")
        shown = federation.call("job", "list", env={"CARNET_CONTEXT": str(federation.folder / "person" / "context.yaml")})
        self.assertEqual(shown.returncode, 0, shown.stdout + shown.stderr)
        say(f"{invited['user_id']} enrolled after the rotation")
        # The statement key too: a person who comes then follows both.
        federation.json("key", "rotate", "statement")
        federation.json("user", "invite", "--roles", "member", "--out", federation.folder / "second.token")
        federation.run("user", "enroll", "--join", federation.folder / "second.token", "--out", federation.folder / "second")
        _, status = federation.train(rounds=1)
        self.assertEqual(status["state"], "completed")

    def test_5_the_ledger_is_good(self):
        federation = self.federation
        federation.coordinator.stop()
        check_ledger(federation.home, federation.folder / "audit")
        trust = federation.folder / "final-trust"
        federation.run("ledger", "trust", "--state", federation.home, "--out", trust)
        audit = federation.call("audit", "--state", federation.home, "--trust", trust / "trust.policy")
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)


def first_job(federation):
    return federation.records_of("job-submitted")[-1]["predicate"]["job_id"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
