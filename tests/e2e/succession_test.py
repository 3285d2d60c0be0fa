#!/usr/bin/python3
"""A log that lost its tail for good: the coordinator refuses, a new log takes its place, and nobody follows it without
an explicit word: workers by accept-log, auditors by a line of their trust.policy."""

import json
import shutil
import unittest

from federation import FederationTest, say, wait_for

SLOTS = ("fr-1", "sg-1")
MISBEHAVIOUR = 4


class Succession(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.configure("heartbeat: 1s\ntask_poll_max: 1s\nstart_grace: 3s\n")
        federation.start_all(SLOTS)
        federation.train(rounds=1, minimum=2, target=2, evaluate=0)
        federation.coordinator.stop()
        shutil.copytree(federation.home, federation.folder / "backup")
        federation.start_coordinator()
        federation.wait_live(SLOTS)
        federation.train(rounds=1, minimum=2, target=2, evaluate=0)
        for slot in SLOTS:
            federation.workers[slot].stop()
        federation.coordinator.stop()
        cls.lost = len(federation.records())

    def test_1_the_coordinator_refuses_what_lost_its_tail(self):
        federation = self.federation
        # The disk is gone; the backup and the head file on another device are left.
        shutil.rmtree(federation.home / "blobs")
        for name in ("ledger.db", "blobs"):
            source = federation.folder / "backup" / name
            target = federation.home / name
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        for leftover in ("ledger.db-wal", "ledger.db-shm"):
            (federation.home / leftover).unlink(missing_ok=True)
        coordinator = federation.start_coordinator(expect_ready=False)
        self.assertEqual(coordinator.wait(), MISBEHAVIOUR, coordinator.text()[-2000:])

    def test_2_a_new_log_takes_its_place(self):
        federation = self.federation
        head = federation.folder / "fr-1" / "head"
        nothing = federation.call("ledger", "succeed", "--state", federation.folder / "backup", "--lost-after",
                                  federation.folder / "backup" / "head", "--out", federation.folder / "none")
        self.assertEqual(nothing.returncode, 2, nothing.stdout + nothing.stderr)
        self.assertFalse((federation.folder / "none").exists())
        shutil.rmtree(federation.folder / "join")
        done = federation.run("ledger", "succeed", "--state", federation.home, "--lost-after", head, "--out",
                              federation.folder / "home-2", "--json")
        report = json.loads(done)
        say(report)
        self.assertEqual(report["origin"], report["old_origin"] + "-2")
        self.assertGreater(report["known"], report["held"])
        self.assertEqual(len(report["tokens"]), len(SLOTS))
        old = federation.start_coordinator(expect_ready=False)
        self.assertEqual(old.wait(), 2, old.text()[-2000:])
        type(self).old_home = federation.home
        federation.home = federation.folder / "home-2"
        genesis = federation.records()[0]["predicate"]
        self.assertEqual(genesis["succeeds"]["origin"], report["old_origin"])
        federation.start_coordinator()

    def test_3_a_worker_follows_only_after_its_own_word(self):
        federation = self.federation
        worker = federation.start_worker("fr-1")
        wait_for(lambda: not worker.alive, "the worker to refuse")
        self.assertNotEqual(worker.process.returncode, 0, worker.text()[-2000:])
        self.assertEqual(federation.live(), {})
        for slot in SLOTS:
            accepted = json.loads(federation.run("worker", "accept-log", "--state", federation.folder / slot, "--join",
                                                 federation.token(slot), "--json"))
            self.assertGreater(accepted["old_size"], 0)
            federation.start_worker(slot)
        federation.wait_live(SLOTS)
        job, status = federation.train(rounds=2, minimum=2, target=2, evaluate=0)
        self.assertEqual(status["state"], "completed")
        type(self).out = federation.export(job, "out")

    def test_4_an_auditor_says_so_in_the_trust_policy(self):
        federation = self.federation
        policy = self.out / "trust.policy"
        refused = federation.verify(self.out)
        self.assertEqual(refused.returncode, 1, refused.stdout + refused.stderr)
        self.assertIn("# succeeds", refused.stdout)
        origin = federation.records()[0]["predicate"]["succeeds"]["origin"]
        policy.write_text(policy.read_text() + f"# succeeds {origin}\n")
        accepted = federation.verify(self.out)
        self.assertEqual(accepted.returncode, 0, accepted.stdout + accepted.stderr)
        federation.run("ledger", "export", "--state", federation.home, "--tiles", federation.folder / "tiles", "--statements")
        done = federation.call("ledger", "verify", federation.folder / "tiles", "--trust", policy)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        bare = federation.folder / "trust"
        federation.run("ledger", "trust", "--state", federation.home, "--out", bare)
        done = federation.call("ledger", "verify", federation.folder / "tiles", "--trust", bare / "trust.policy")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)

    def test_5_both_states_are_as_they_should_be(self):
        federation = self.federation
        doctor = federation.call("doctor", "--state", federation.home)
        self.assertEqual(doctor.returncode, 0, doctor.stdout + doctor.stderr)
        self.assertIn("head-file: on the device of the database", doctor.stdout)
        worker = federation.call("doctor", "--state", federation.folder / "fr-1")
        self.assertEqual(worker.returncode, 0, worker.stdout + worker.stderr)
        federation.coordinator.stop()
        audit = federation.call("audit", "--state", federation.home, "--trust", self.out / "trust.policy")
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)
        fsck = federation.call("ledger", "fsck", "--state", federation.home)
        self.assertEqual(fsck.returncode, 0, fsck.stdout + fsck.stderr)
        self.assertEqual((self.old_home / "succeeded").read_text().splitlines()[1], str(federation.home))
        # What others may read is said, and so is a log that does not fold.
        key = federation.home / "keys" / "log.key"
        key.chmod(0o644)
        broken = [json.loads(line) for line in
                  federation.call("doctor", "--state", federation.home, "--json").stdout.splitlines()]
        self.assertEqual([f["health"] for f in broken if f["check"] == "keys"], ["fail"])
        key.chmod(0o600)


if __name__ == "__main__":
    unittest.main(verbosity=2)
