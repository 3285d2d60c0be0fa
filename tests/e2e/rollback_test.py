#!/usr/bin/python3
"""A coordinator that was rolled back to a copy of its state is caught, and appends nothing: by the head file when that
stands elsewhere, else by the first worker, which shows the newest head that it holds."""

import contextlib
import shutil
import sqlite3
import unittest

from federation import FederationTest, say, wait_for

MISSING = 3
MISBEHAVIOUR = 4


def signatures(head):
    if not head.exists():
        return 0
    return len([line for line in head.read_text().splitlines() if line.startswith("\u2014 ")])


class Rollback(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.configure("heartbeat: 1s\ntask_poll_max: 1s\nstart_grace: 30s\n")
        federation.start_all(("fr-1", "sg-1"))

    def age(self):
        """A copy of the state of now, and then a job that it knows nothing of."""
        federation = self.federation
        federation.coordinator.stop()
        old = federation.folder / "old"
        shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(federation.home, old)
        federation.start_coordinator()
        federation.wait_live(("fr-1", "sg-1"))
        federation.train(rounds=1, minimum=2, target=2, evaluate=0)
        federation.coordinator.stop()
        self.before = len(federation.records())
        shutil.rmtree(federation.home)
        shutil.copytree(old, federation.home)
        self.remember()

    def remember(self):
        """What the rolled back state holds: nothing may be appended to it, and no head signed."""
        self.rolled_back = len(self.federation.records())
        self.assertLess(self.rolled_back, self.before)
        self.contents = self.dump()

    def dump(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.federation.home}/ledger.db?mode=ro", uri=True)) as store:
            return [store.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in ("records", "tiles", "heads")]

    def assert_caught(self, coordinator):
        wait_for(lambda: not coordinator.alive, "the coordinator to end")
        say(f"rolled back from {self.before} to {self.rolled_back} records: {coordinator.text().splitlines()[-3:]}")
        self.assertEqual(coordinator.process.returncode, MISBEHAVIOUR, coordinator.text()[-2000:])
        self.assertEqual(self.dump(), self.contents)

    def test_0_a_worker_or_the_head_file_catches_it_across_a_rotation_of_the_logs_key(self):
        federation = self.federation
        slots = ("fr-1", "sg-1")
        heads = [federation.folder / slot / "head" for slot in slots]
        federation.coordinator.stop()
        old, newest = federation.folder / "before-rotation", federation.folder / "after-rotation"
        shutil.copytree(federation.home, old)
        federation.start_coordinator()
        federation.wait_live(slots)
        federation.run("key", "rotate", "log", "--overlap-days", "1", "--state", federation.home)
        wait_for(lambda: all(signatures(head) == 2 for head in heads), "the workers to follow the log")
        for slot in slots:
            federation.workers[slot].stop()
        federation.coordinator.stop()
        shutil.copytree(federation.home, newest)
        self.before = len(federation.records())
        # As after the overlap: the new key, which the old state knows nothing of, signs alone.
        for head in heads:
            text, lines = head.read_text().split("\n\n")
            head.write_text(f"{text}\n\n{lines.splitlines()[-1]}\n")
        shutil.rmtree(federation.home)
        shutil.copytree(old, federation.home)
        self.remember()
        for slot in slots:
            federation.start_worker(slot)
        self.assert_caught(federation.start_coordinator(expect_ready=False))
        shutil.copy(heads[0], federation.home / "head")
        self.assert_caught(federation.start_coordinator(expect_ready=False))
        # What takes its place goes on from such a head, with the worker's word on who signed it.
        succeed = ("ledger", "succeed", "--state", federation.home, "--lost-after", heads[0], "--out",
                   federation.folder / "successor", "--join-dir", federation.folder / "successor-join")
        self.assertEqual(federation.call(*succeed).returncode, 1)
        followed = federation.call(*succeed, "--handovers", federation.folder / "fr-1" / "log-keys")
        self.assertEqual(followed.returncode, 0, followed.stdout + followed.stderr)
        shutil.rmtree(federation.home)
        shutil.copytree(newest, federation.home)
        federation.start_coordinator()
        federation.wait_live(slots)

    def test_1_the_first_worker_catches_it_when_the_head_file_went_back_too(self):
        self.age()
        coordinator = self.federation.start_coordinator(expect_ready=False)
        self.assert_caught(coordinator)

    def test_2_the_head_file_catches_it_before_anything_is_served(self):
        federation = self.federation
        for worker in federation.workers.values():
            worker.kill()
        heads = federation.folder / "heads"
        heads.mkdir()
        # What the workers of the first test know is lost with their state: only the head file can tell.
        shutil.copytree(federation.home, federation.folder / "again")
        head = heads / "head"
        shutil.copy(federation.home / "head", head)
        federation.configure(f"heartbeat: 1s\ntask_poll_max: 1s\nstart_grace: 1s\nhead_file: {head}\n")
        coordinator = federation.start_coordinator()
        federation.run("worker", "invite", "fr-9", "--region", "fr", "--state", federation.home)
        coordinator.stop()
        self.before = len(federation.records())
        shutil.copy(federation.folder / "again" / "ledger.db", federation.home / "ledger.db")
        for leftover in ("ledger.db-wal", "ledger.db-shm"):
            (federation.home / leftover).unlink(missing_ok=True)
        self.remember()
        fsck = federation.call("ledger", "fsck", "--state", federation.home)
        self.assertEqual(fsck.returncode, MISBEHAVIOUR, fsck.stdout + fsck.stderr)
        doctor = federation.call("doctor", "--state", federation.home)
        self.assertNotEqual(doctor.returncode, 0, doctor.stdout + doctor.stderr)
        self.assertIn("the state was rolled back", doctor.stdout)
        coordinator = federation.start_coordinator(expect_ready=False)
        self.assert_caught(coordinator)
        head.unlink()
        self.assertEqual(federation.call("ledger", "fsck", "--state", federation.home).returncode, MISSING)


if __name__ == "__main__":
    unittest.main(verbosity=2)
