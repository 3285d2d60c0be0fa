#!/usr/bin/python3
"""A copy of a worker's state folder: two processes that use its keys at once are both cut, with a record that says why;
restarts are not taken for that; a new invitation brings the slot back.
"""

import json
import shutil
import signal
import ssl
import unittest
import urllib.request

from federation import BINARY, FederationTest, Process, wait_for

RESTARTS = 4


class LiveUses(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.federation.start_all(("fr-1", "sg-1"))

    def revoked(self, slot):
        wanted = self.ids_before[slot]
        return [r for r in self.federation.records_of("worker-revoked") if r["predicate"]["worker_id"] == wanted]

    def metric(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(f"https://127.0.0.1:{self.federation.https}/metrics", context=context, timeout=10) as page:
            lines = page.read().decode().splitlines()
        return [line for line in lines if line.startswith("carnet_workers_two_live_uses_total")]

    def assert_told(self, process):
        """Which ended: with what happened and what to do."""
        wait_for(lambda: not process.alive, "the process to end")
        self.assertEqual(process.wait(), 1, process.text()[-2000:])
        self.assertIn("revoked", process.text())
        self.assertIn("carnet worker invite", process.text())
        self.assertIn("empty state folder", process.text())

    def test_two_processes_with_one_workers_keys_are_both_cut(self):
        federation = self.federation
        self.ids_before = type(self).ids_before = federation.worker_ids()
        # However it ends, a worker that starts again is one worker.
        for number in [signal.SIGKILL, signal.SIGTERM] * (RESTARTS // 2):
            federation.workers["sg-1"].send(number)
            federation.workers["sg-1"].wait()
            federation.start_worker("sg-1")
            federation.wait_live(("sg-1",))
        # So is one that goes on after the coordinator restarted.
        federation.coordinator.stop()
        federation.start_coordinator()
        federation.wait_live(("fr-1", "sg-1"))
        self.assertEqual(federation.records_of("worker-revoked"), [])

        original = federation.workers["sg-1"]
        original.stop()
        shutil.copytree(federation.folder / "sg-1", federation.folder / "sg-1-copy")
        original = federation.start_worker("sg-1")
        federation.wait_live(("sg-1",))
        copy = Process([BINARY, "worker", "run", "--state", federation.folder / "sg-1-copy", "--data",
                        f"digits/sg={federation.folder}/data/sg/train.csv"], federation.folder / "copy.log")
        federation.processes.append(copy)
        wait_for(lambda: self.revoked("sg-1"), "the record of the revocation")
        self.assert_told(original)
        self.assert_told(copy)
        # At least the one that was found out is told why; the record says it in any case.
        self.assertIn("two-live-uses", original.text() + copy.text())
        self.assertIn("find out who has a copy", original.text() + copy.text())
        (record,) = self.revoked("sg-1")
        self.assertEqual(record["predicate"]["reason"], "two-live-uses")
        self.assertEqual(len(federation.records_of("worker-revoked")), 1)
        self.assertTrue(federation.workers["fr-1"].alive)
        self.assertIn("worker.two-live-uses", federation.coordinator.text())
        self.assertEqual(self.metric(), ["carnet_workers_two_live_uses_total 1"])
        rows = {row["slot"]: row for row in federation.json_lines("worker", "list")}
        self.assertTrue(rows["sg-1"]["revoked"])

        # Started again it stays out, and says what to do.
        again = federation.start_worker("sg-1")
        self.assert_told(again)

        # An officer clears it: another invitation of the slot, another folder.
        token = federation.folder / "again.token"
        federation.run("worker", "invite", "sg-1", "--region", "sg", "--out", token, "--state", federation.home)
        shutil.move(federation.folder / "sg-1", federation.folder / "sg-1-before")
        federation.start_worker("sg-1", token=token)
        federation.wait_live(("sg-1",))
        self.assertNotEqual(federation.worker_ids()["sg-1"], self.ids_before["sg-1"])
        job, status = federation.train(rounds=1, minimum=2, target=2, evaluate=0)
        contributors = {r["predicate"]["worker_id"] for r in federation.records_of("contribution", job)}
        self.assertIn(federation.worker_ids()["sg-1"], contributors)
        # The other copy is as dead as before.
        other = Process([BINARY, "worker", "run", "--state", federation.folder / "sg-1-copy"], federation.folder / "other.log")
        federation.processes.append(other)
        self.assert_told(other)

        federation.coordinator.stop()
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        audited = federation.call("audit", "--json", "--state", federation.home, "--trust",
                                  federation.folder / "trust/trust.policy")
        self.assertEqual(audited.returncode, 0, audited.stdout + audited.stderr)
        self.assertEqual(json.loads(audited.stdout)["verdict"], "good")


if __name__ == "__main__":
    unittest.main(verbosity=2)
