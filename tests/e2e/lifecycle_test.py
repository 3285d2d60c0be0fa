#!/usr/bin/python3
"""Processes come and go: a worker is restarted or told to drain, a coordinator is stopped, a job is stopped."""

import json
import unittest

from federation import SLOTS, FederationTest, say, wait_for

WORKERS = SLOTS[1:]


class Lifecycle(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.federation.start_all()
        _, status = cls.federation.train(rounds=4, steps=5)
        cls.undisturbed = status["model_sha256"]

    def wait_round(self, job, number):
        wait_for(lambda: any(r["predicate"]["round"] >= number for r in self.federation.records_of("round-opened", job)),
                 f"round {number} to open")

    def test_a_worker_that_is_killed_and_started_again_goes_on(self):
        federation = self.federation
        job = federation.submit(federation.write_job(rounds=4, steps=5))
        self.wait_round(job, 2)
        federation.workers["sg-1"].kill()
        federation.start_worker("sg-1", token="/nonexistent")  # what it needs is in its state folder
        status = federation.wait_ended(job)
        self.assertEqual(status["model_sha256"], self.undisturbed)
        self.assertEqual({r["predicate"]["attempt"] for r in federation.records_of("round-opened", job)}, {1})

    def test_a_worker_told_to_stop_ends_its_task_first(self):
        federation = self.federation
        # Long enough that it is still training when the signal comes.
        job = federation.submit(federation.write_job(rounds=1, steps=20_000, minimum=4))
        worker = federation.workers["fr-1"]
        wait_for(lambda: json.loads(worker.text().splitlines()[-1]).get("event") == "task-started", "fr-1 to train")
        started = worker.text().count("task-started")
        code = worker.stop(60)
        said = [json.loads(line) for line in worker.text().splitlines() if line.startswith("{")]
        events = [line["event"] for line in said]
        say(f"drained: exit {code}, {events[-4:]}")
        self.assertEqual(code, 0)
        self.assertIn("draining", events)
        self.assertLess(events.index("draining"), len(events) - 1 - events[::-1].index("task-ended"))
        self.assertEqual([line["outcome"] for line in said if line["event"] == "task-ended"][-1], "done")
        self.assertEqual(worker.text().count("task-started"), started)  # no new task
        self.assertNotIn("fr-1", federation.live())
        federation.wait_ended(job)
        contributed = {r["predicate"]["worker_id"] for r in federation.records_of("contribution", job)}
        self.assertIn(federation.worker_ids()["fr-1"], contributed)
        federation.start_worker("fr-1")
        federation.wait_live(("fr-1",))

    def test_a_coordinator_told_to_stop_is_back_with_the_same_job(self):
        federation = self.federation
        job = federation.submit(federation.write_job(rounds=4, steps=5))
        self.wait_round(job, 2)
        self.assertEqual(federation.coordinator.stop(), 0)
        federation.start_coordinator()
        status = federation.wait_ended(job)
        self.assertEqual(status["model_sha256"], self.undisturbed)

    def test_a_job_that_is_stopped(self):
        federation = self.federation
        job = federation.submit(federation.write_job(rounds=1000, steps=1))
        self.wait_round(job, 2)
        federation.run("job", "stop", job, "--state", federation.home)
        status = federation.wait_ended(job)
        self.assertEqual((status["state"], status["end_reason"]), ("stopped", "asked"))
        # What ran for it ends, and nothing new begins.
        opened = len(federation.records_of("round-opened", job))
        aggregated = [r["predicate"]["model_sha256"] for r in federation.records_of("aggregate", job)]
        self.assertIn(opened - len(aggregated), (0, 1))
        stopped = federation.records_of("job-stopped", job)
        self.assertEqual(len(stopped), 1)
        self.assertEqual(stopped[0]["predicate"]["model_sha256"], aggregated[-1])
        self.assertEqual(federation.call("job", "watch", job, "--state", federation.home).returncode, 1)
        self.assertNotEqual(federation.call("job", "stop", job, "--state", federation.home).returncode, 0)
        # Its newest model can be taken home, with its papers.
        out = federation.export(job, "stopped")
        self.assertEqual(federation.verify(out).returncode, 0)
        # Every round key is destroyed, and the workers are free for the next job.
        def keys_left():
            created = {r["predicate"]["key_id"] for r in federation.records_of("key-created", job)}
            destroyed = {key for r in federation.records_of("key-destroyed") for key in r["predicate"]["key_ids"]}
            return created - destroyed
        wait_for(lambda: not keys_left(), "the keys of the stopped job to be destroyed")
        _, status = federation.train(rounds=4, steps=5)
        self.assertEqual(status["model_sha256"], self.undisturbed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
