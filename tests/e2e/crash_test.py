#!/usr/bin/python3
"""kill -9 of the coordinator and of a worker in the middle of their work: the job completes, with the same model.

tests/fault/stop_at.cc ends the process at the n-th call of one kind on files of one kind, so that the same seed gives
the same point. One job lives through all of them. Afterwards the same job runs undisturbed.
"""

import collections
import shutil
import unittest

from federation import SLOTS, FederationTest, check_ledger, generator, read_records, say, stop_at, wait_for

HIDDEN = 8192  # a sealed delta of 2.5 MB: three chunks of a transfer
CHUNKS = 3
STRIPS = 38  # of 64 KiB, that one verification reads
ROUNDS = 6
WORKERS = SLOTS[1:]

Point = collections.namedtuple("Point", "name call text count when")


def points(rng):
    """Where the coordinator is killed, in the order of the job's life; the numbers are the seed's."""
    return [
        # Written, fsynced, and the worker was told nothing.
        Point("between record and reply", "record", "urn:carnet:contribution:v1", rng.randint(1, 4), "after"),
        # Somewhere in the twelve chunks of four uploads.
        Point("upload", "pwrite", ".spool", rng.randint(2, 4 * CHUNKS - 1), "before"),
        # Somewhere in the first verifications of a process: no round is combined before four of them.
        Point("verify", "pread", "/blobs/delta/", rng.randint(1, STRIPS), "before"),
        # Decided, and not yet in the ledger.
        Point("close", "record", "urn:carnet:round-closed:v1", 1, "before"),
        # In the ledger, and nothing of it done.
        Point("closed", "record", "urn:carnet:round-closed:v1", 1, "after"),
        # The new model is half written.
        Point("aggregate", "pwrite", "-model", rng.randint(1, 4), "before"),
        # The new model is whole on disk, and no record names it.
        Point("aggregated", "record", "urn:carnet:aggregate:v1", 1, "before"),
    ]


def environment(point, log):
    return stop_at(point.call, point.text, point.count, point.when, log)


class Crashes(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rng = generator("crash_test")
        cls.federation.write_mlp(HIDDEN)
        cls.job = {"rounds": ROUNDS, "minimum": 4, "target": 4, "trainer": "mlp", "model": "mlp.safetensors",
                   "deadline": "10m", "evaluate": ROUNDS}

    def wait_killed(self, process, log, point):
        federation = self.federation
        wait_for(lambda: not process.alive, f"the kill at {point}; it says: {process.text()[-1500:]}", 180)
        self.assertEqual(process.process.returncode, -9, process.text()[-2000:])
        where = log.read_text().strip().replace(str(federation.folder), "…")
        say(f"killed in {point.name}: {point.call} number {point.count} ({point.when}): {where}")

    def check_evidence(self, point):
        """What the kill left is what its name says."""
        federation = self.federation
        copy = federation.folder / "after-kill"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in ("ledger.db", "ledger.db-wal"):
            if (federation.home / name).exists():
                shutil.copy(federation.home / name, copy / name)
        last = read_records(copy / "ledger.db")
        kinds = [r["type"] for r in last]
        if point.name == "between record and reply":
            record = [r for r in last if r["type"] == "contribution"][-1]
            slot = {v: k for k, v in federation.worker_ids().items()}[record["predicate"]["worker_id"]]
            receipts = federation.folder / slot / "receipts"
            self.assertFalse(list(receipts.glob(f"{record['index']}.*")) if receipts.exists() else [])
        elif point.name == "upload":
            self.assertTrue(list((federation.home / "spool").glob("*.spool")))
        elif point.name == "close":
            self.assertLess(kinds.count("round-closed"), kinds.count("round-opened"))
        elif point.name in ("closed", "aggregate", "aggregated"):
            self.assertEqual(kinds.count("round-closed"), kinds.count("round-opened"))
            self.assertLess(kinds.count("aggregate"), kinds.count("round-closed"))

    def check_exactly_once(self, job, rounds=ROUNDS):
        federation = self.federation
        records = federation.records(job)
        contributions = collections.Counter(
            (r["predicate"]["round"], r["predicate"]["attempt"], r["predicate"]["worker_id"])
            for r in records if r["type"] == "contribution")
        self.assertEqual(len(contributions), rounds * len(WORKERS))
        self.assertEqual(set(contributions.values()), {1})
        for kind in ("round-opened", "round-closed", "aggregate"):
            seen = [(r["predicate"]["round"], r["predicate"]["attempt"]) for r in records if r["type"] == kind]
            self.assertEqual(seen, [(number + 1, 1) for number in range(rounds)], kind)
        for kind in ("contribution-rejected", "task-failed", "round-abandoned", "job-stopped"):
            self.assertEqual([r for r in records if r["type"] == kind], [], kind)
        self.assertEqual(sum(r["type"] == "job-completed" for r in records), 1)

    def test_a_job_survives_kills_everywhere(self):
        federation = self.federation
        all_points = points(self.rng)
        worker_point = Point("a worker's upload", "pread", "/sealed", self.rng.randint(2, CHUNKS), "before")
        killed_worker = self.rng.choice(WORKERS)
        log = federation.folder / "stop-at.log"

        federation.start_coordinator(environment(all_points[0], log))
        for slot in SLOTS:
            federation.start_worker(slot)
        federation.wait_live(SLOTS)
        job = federation.submit(federation.write_job(**self.job))
        for point, after in zip(all_points, [*all_points[1:], None]):
            self.wait_killed(federation.coordinator, log, point)
            self.check_evidence(point)
            log.unlink()
            # The next point may come before it is ready: a round that waited to be closed is closed at once.
            federation.start_coordinator(environment(after, log) if after else None, expect_ready=after is None)

        # One worker, in the middle of an upload; and again alive.
        worker = federation.workers[killed_worker]
        worker.kill()
        worker = federation.start_worker(killed_worker, env=environment(worker_point, log))
        self.wait_killed(worker, log, worker_point)
        federation.start_worker(killed_worker)

        status = federation.wait_ended(job, 240)
        self.assertEqual(status["state"], "completed", status)
        self.check_exactly_once(job)

        _, undisturbed = federation.train(seconds=240, **self.job)
        say(f"the model after {len(all_points)} kills and undisturbed: {status['model_sha256']}")
        self.assertEqual(status["model_sha256"], undisturbed["model_sha256"])

        out = federation.export(job)
        verified = federation.verify(out)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        federation.coordinator.stop()
        check_ledger(federation.home, federation.folder / "audit")
        self.assertEqual(list((federation.home / "blobs/partial").iterdir()), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
