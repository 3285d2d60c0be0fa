#!/usr/bin/python3
"""The statement key is rotated while a job trains; a name is erased; kill -9 between the steps of both.

The job completes with the model that it has undisturbed, manifests from before and after verify, and whatever a kill
left half done is finished by the next start, once.
"""

import json
import shutil
import unittest

from federation import SLOTS, FederationTest, check_ledger, generator, say, stop_at_record, wait_for

ROUNDS = 8
KILLS = [
    # The new key is a durable file that no record names.
    ("key-rotated", "before"),
    # In the ledger; nobody was told, and the old key's file is still there.
    ("key-rotated", "after"),
    # The old key's file is gone, and the ledger does not say so yet.
    ("key-destroyed", "before"),
]


class Keys(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rng = generator("keys_test")
        cls.federation.start_all()

    def rotate(self):
        return self.federation.json("key", "rotate", "statement")

    def rounds(self, job):
        return len(self.federation.records_of("round-closed", job))

    def settled(self):
        """Every rotation's old key and every ordered value is destroyed, on record once."""
        federation = self.federation
        ordered = [k for r in federation.records_of("key-destruction-ordered") if r["predicate"]["reason"] == "rotated"
                   for k in r["predicate"]["key_ids"]]
        destroyed = [k for r in federation.records_of("key-destroyed") for k in r["predicate"]["key_ids"] if k in ordered]
        erasures = [r["index"] for r in federation.records_of("erasure")]
        done = [int(r["predicate"]["erasure_index"]) for r in federation.records_of("erasure-done")]
        return sorted(ordered) == sorted(destroyed) and erasures == done

    def test_1_a_job_trains_through_rotations(self):
        federation = self.federation
        first, undisturbed = federation.train(rounds=ROUNDS)
        before = federation.export(first, "before")
        job = federation.submit(federation.write_job(rounds=ROUNDS))
        rotations = []
        for turn in range(2):
            at = self.rng.randint(1, 2) + 3 * turn
            wait_for(lambda at=at: self.rounds(job) >= at, f"round {at} to close")
            wait_for(self.settled, "the key before to be destroyed")
            rotations.append(self.rotate())
            say(f"rotated at record {rotations[-1]['index']}, after {self.rounds(job)} rounds")
        status = federation.wait_ended(job)
        self.assertEqual(status["state"], "completed", status)
        self.assertEqual(status["model_sha256"], undisturbed["model_sha256"])
        self.assertEqual([r for r in federation.records(job) if r["type"] in ("task-failed", "contribution-rejected")], [])
        wait_for(self.settled, "the old keys to be destroyed")
        self.assertNotIn("statement", federation.key_files())
        self.assertNotIn(rotations[0]["key_id"], federation.key_files())
        self.assertIn(rotations[1]["key_id"], federation.key_files())
        after = federation.export(job, "after")
        for out in (before, after):
            verified = federation.verify(out)
            self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        # Workers and coordinator begin anew, and a worker that was not there learns what it missed.
        federation.restart()
        federation.workers["sg-1"].stop()
        federation.start_worker("sg-1")
        federation.wait_live(SLOTS)
        _, again = federation.train(rounds=2)
        self.assertEqual(again["state"], "completed")

    def test_2_a_kill_between_the_steps(self):
        federation = self.federation
        log = federation.folder / "stop-at.log"
        for record, when in KILLS:
            with self.subTest(f"{when} {record}"):
                rotated = len(federation.records_of("key-rotated"))
                files = federation.key_files()
                federation.restart(stop_at_record(record, when, log))
                done = federation.call("key", "rotate", "statement", "--state", federation.home)
                wait_for(lambda: not federation.coordinator.alive, f"the kill {when} {record}")
                log.unlink()
                # The old key is destroyed while its rotation is being answered: either may come first.
                self.assertIn(done.returncode, (0, 5) if record == "key-destroyed" else (5,), done.stdout + done.stderr)
                federation.start_coordinator()
                federation.wait_live(SLOTS)
                wait_for(self.settled, "what was begun to be finished")
                decided = (record, when) != ("key-rotated", "before")
                self.assertEqual(len(federation.records_of("key-rotated")), rotated + decided)
                self.assertEqual(len(federation.key_files()), len(files))
                self.assertEqual(federation.key_files() == files, not decided)
        _, status = federation.train(rounds=1)
        self.assertEqual(status["state"], "completed")

    def test_3_a_name_is_erased(self):
        federation = self.federation
        user = federation.records_of("user-enrolled")[0]
        value = federation.home / "vault" / user["predicate"]["user_id"]
        self.assertTrue(value.exists())
        unknown = federation.call("ledger", "erase", 0, "--reason", "subject-request", "--state", federation.home)
        self.assertEqual(unknown.returncode, 2, unknown.stderr)
        log = federation.folder / "stop-at.log"
        federation.restart(stop_at_record("erasure", "after", log))
        arguments = ("ledger", "erase", user["index"], "--reason", "subject-request", "--state", federation.home)
        self.assertEqual(federation.call(*arguments).returncode, 5)
        wait_for(lambda: not federation.coordinator.alive, "the kill")
        log.unlink()
        federation.start_coordinator()
        federation.wait_live(SLOTS)
        wait_for(self.settled, "the erasure to be finished")
        self.assertFalse(value.exists())
        again = json.loads(federation.run(*arguments, "--json"))
        order = federation.records_of("erasure")[0]["index"]
        self.assertEqual(again, {"index": order, "erases": user["index"]})
        shown = federation.run("ledger", "show", user["index"], "--state", federation.home)
        self.assertIn(f"record {user['index']}: included, signed, field name erased under record {order}", shown)

    def test_4_the_ledger_is_good(self):
        federation = self.federation
        federation.coordinator.stop()
        check_ledger(federation.home, federation.folder / "audit")
        shutil.rmtree(federation.folder / "audit")


if __name__ == "__main__":
    unittest.main(verbosity=2)
