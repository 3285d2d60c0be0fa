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
