#!/usr/bin/python3
"""A log that was tampered with, in each way of the table of docs/verifying.md: our tools say what is wrong, where, and with
which exit code; and a coordinator does not go on with it."""

import contextlib
import shutil
import sqlite3
import unittest

from federation import BINARY, FederationTest, Process, wait_for

BAD_EVIDENCE, USAGE, MISSING, MISBEHAVIOUR = 1, 2, 3, 4
HASH_BYTES = 32


class Misbehaviour(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_coordinator()
        for number in range(4):
            cls.invite(federation, f"fr-{number + 5}")
        federation.coordinator.stop()
        cls.founded = cls.folder / "good"
        shutil.copytree(federation.home, cls.founded)
        cls.size = len(federation.records())
        cls.trust = cls.folder / "trust"
        federation.run("ledger", "trust", "--state", cls.founded, "--out", cls.trust)

    @staticmethod
    def invite(federation, slot):
        """One record more."""
        federation.run("worker", "invite", slot, "--region", "fr", "--state", federation.home)

    def copy(self, *statements, name="changed"):
        """A copy of the good state on which SQL was run."""
        state = self.folder / name
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(self.founded, state)
        with contextlib.closing(sqlite3.connect(state / "ledger.db")) as store:
            for statement, *values in statements:
                changed = store.execute(statement, values).rowcount
                self.assertNotEqual(changed, 0, statement)
            store.commit()
        return state

    def say(self, *arguments):
        done = self.federation.call("ledger", *arguments)
        return done.returncode, done.stdout + done.stderr

    def fsck(self, state):
        return self.say("fsck", "--state", state)

    def verify(self, folder, *options):
        return self.say("verify", folder, "--trust", self.trust / "trust.policy", *options)

    def export(self, state, name):
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        code, said = self.say("export", "--state", state, "--tiles", folder, "--statements")
        self.assertEqual(code, 0, said)
        return folder

    def assert_does_not_start(self, state, *words):
        """The coordinator ends with exit code 4, says why, and leaves the records as they are."""
        def records():
            with contextlib.closing(sqlite3.connect(f"file:{state}/ledger.db?mode=ro", uri=True)) as store:
                return store.execute("SELECT * FROM records ORDER BY idx").fetchall()
        before = records()
        log = self.folder / "refused.log"
        log.unlink(missing_ok=True)
        coordinator = Process([BINARY, "coordinator", "run", "--state", state], log)
        self.federation.processes.append(coordinator)
        wait_for(lambda: not coordinator.alive, "the coordinator to end")
        self.assertEqual(coordinator.process.returncode, MISBEHAVIOUR, coordinator.text())
        for word in words:
            self.assertIn(word, coordinator.text())
        self.assertEqual(records(), before)

    def assert_said(self, verdict, code, *words):
        self.assertEqual(verdict[0], code, verdict[1])
        for word in words:
            self.assertIn(word, verdict[1])

    def test_the_good_state_is_good(self):
        self.assert_said(self.fsck(self.founded), 0, "good")
        self.assert_said(self.verify(self.export(self.founded, "exported")), 0, "good")

    def test_an_edited_value(self):
        state = self.copy(("UPDATE records SET statement = CAST(replace(CAST(statement AS TEXT), 'fr-6', 'fr-9') AS BLOB) "
                           "WHERE idx = ?", self.size - 3))
        self.assert_said(self.fsck(state), BAD_EVIDENCE, f"record {self.size - 3}")
        self.assert_does_not_start(state, f"record {self.size - 3}")
        folder = self.export(self.founded, "edited")
        file = next((folder / "statements").rglob("*.p/*"))
        file.write_bytes(file.read_bytes().replace(b"fr-6", b"fr-9"))
        self.assert_said(self.verify(folder), BAD_EVIDENCE, f"record {self.size - 3}")

    def test_a_record_in_the_place_of_another(self):
        state = self.copy(("UPDATE records SET (statement, signature, public_key, entry) = (SELECT statement, signature, "
                           "public_key, entry FROM records WHERE idx = 3) WHERE idx = 2",))
        self.assert_said(self.fsck(state), BAD_EVIDENCE, "record 2")
        self.assert_does_not_start(state, "record 2")

    def test_a_swapped_tile(self):
        with contextlib.closing(sqlite3.connect(self.founded / "ledger.db")) as store:
            (hashes,) = store.execute("SELECT hashes FROM tiles WHERE level = 0 AND idx = 0").fetchone()
        parts = [hashes[at:at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
        parts[1], parts[4] = parts[4], parts[1]
        swapped = b"".join(parts)
        state = self.copy(("UPDATE tiles SET hashes = ? WHERE level = 0 AND idx = 0", swapped))
        self.assert_said(self.fsck(state), BAD_EVIDENCE, "record 1")
        self.assert_does_not_start(state)
        folder = self.export(self.founded, "swapped")
        file = next((folder / "tile/0").rglob("*.p/*"))
        file.write_bytes(swapped)
        self.assert_said(self.verify(folder), BAD_EVIDENCE, "record 1")

    def test_a_lost_tail(self):
        state = self.copy(("DELETE FROM records WHERE idx >= ?", self.size - 2))
        self.assert_said(self.fsck(state), MISSING, f"record {self.size - 2} is missing")
        self.assert_does_not_start(state, str(self.size - 2))
        # With the heads too it looks as it once was: the second place knows better.
        with contextlib.closing(sqlite3.connect(self.founded / "ledger.db")) as store:
            (hashes,) = store.execute("SELECT hashes FROM tiles WHERE level = 0 AND idx = 0").fetchone()
        kept = self.size - 2
        state = self.copy(("DELETE FROM records WHERE idx >= ?", kept), ("DELETE FROM heads WHERE size > ?", kept),
                          ("UPDATE tiles SET hashes = ? WHERE level = 0 AND idx = 0", hashes[:kept * HASH_BYTES]))
        self.assert_said(self.fsck(state), MISBEHAVIOUR, f"signed {self.size} records", f"holds {kept}")
        self.assert_does_not_start(state, "rolled back")

    def test_two_writers(self):
        federation = self.federation
        federation.start_coordinator()
        self.addCleanup(federation.coordinator.stop)
        second = federation.call("coordinator", "run", "--state", federation.home, "--listen", "127.0.0.1:0",
                                 "--listen-https", "127.0.0.1:0")
        self.assertEqual(second.returncode, USAGE, second.stderr)
        self.assertIn("lock", second.stderr)
        size = len(federation.records())
        self.invite(federation, "fr-20")
        self.assertEqual(len(federation.records()), size + 1)

    def test_a_stale_head(self):
        folder = self.export(self.founded, "stale")
        newest = self.folder / "newest"
        newest.write_text((folder / "checkpoint").read_text())
        with contextlib.closing(sqlite3.connect(self.founded / "ledger.db")) as store:
            (older,) = store.execute("SELECT note FROM heads WHERE size = ?", (self.size - 1,)).fetchone()
        (folder / "checkpoint").write_text(older)
        # What is there holds together; who remembers more knows that it is stale.
        code, said = self.verify(folder)
        self.assertEqual(code, MISSING, said)
        self.assert_said(self.verify(folder, "--since", newest), MISBEHAVIOUR, f"signed {self.size} records",
                         f"holds {self.size - 1}")

    def test_two_histories_of_one_size(self):
        federation = self.federation
        sides = []
        for side, slot in (("left", "fr-30"), ("right", "fr-31")):
            shutil.rmtree(federation.home)
            shutil.copytree(self.founded, federation.home)
            federation.start_coordinator()
            self.invite(federation, slot)
            federation.coordinator.stop()
            state = self.folder / side
            shutil.copytree(federation.home, state)
            sides.append(state)
        left, right = sides
        exported = self.export(left, "left-log")
        self.assert_said(self.verify(exported), 0, "good")
        fork = f"another root at {self.size + 1} records"
        self.assert_said(self.verify(exported, "--since", right / "head"), MISBEHAVIOUR, fork)
        self.assert_said(self.say("fsck", "--state", left, "--since", right / "head"), MISBEHAVIOUR, fork)
        self.assert_said(self.say("export", "--state", right, "--tiles", exported), MISBEHAVIOUR, "two histories")
        shutil.copy(right / "head", left / "head")
        self.assert_does_not_start(left, "two histories")


if __name__ == "__main__":
    unittest.main(verbosity=2)
