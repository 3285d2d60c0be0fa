#!/usr/bin/python3
"""A contribution that is rejected leaves no trace in the model, and a record that says why.

Three workers keep to the rules, the fourth is hostile_worker (hostile_worker.cc). Jobs of two rounds from one job file
are the same computation, so their models must agree to the bit wherever the same contributions count.
"""

import base64
import json
import os
import signal
import unittest

from federation import FederationTest, Process, say, wait_for

GOOD = ("fr-1", "sg-1", "ae-1")
HOSTILE = "br-1"
HIDDEN = 4096  # a sealed delta of 1.2 MB: two chunks of a transfer, 75 of the sealing


class Rejections(FederationTest):
    # The hostile worker does one thing at a time; it is not away while it uploads.
    options = {"heartbeat": "10s"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.write_mlp(HIDDEN)
        federation.start_all(("home-1", *GOOD))
        cls.job = {"rounds": 2, "minimum": 3, "target": 4, "trainer": "mlp", "model": "mlp.safetensors", "clip": 100,
                   "evaluate": 0}
        # Nobody has invited himself yet: a federation in which the fourth never joined.
        _, status = federation.train(**cls.job)
        cls.never_joined = status["model_sha256"]
        _, status = federation.train(**{**cls.job, "rounds": 1})
        cls.never_joined_one_round = status["model_sha256"]

    def start_hostile(self, mode):
        federation = self.federation
        log = federation.folder / f"hostile-{mode}.log"
        hostile = Process([os.environ["CARNET_HOSTILE_WORKER"], "--join", federation.token(HOSTILE), "--state",
                           federation.folder / HOSTILE, "--data", f"digits/br={federation.folder}/data/br/train.csv", "--model",
                           federation.folder / "mlp.safetensors", "--mode", mode, "--other-keys",
                           federation.folder / GOOD[0] / "keys", "--other-delta", federation.folder / "other-delta.json"], log)
        federation.processes.append(hostile)
        self.addCleanup(lambda: hostile.alive and hostile.kill())
        wait_for(lambda: '"ready"' in hostile.text() or not hostile.alive, "the hostile worker to be ready")
        self.assertTrue(hostile.alive, hostile.text())
        federation.wait_live((HOSTILE,))
        return hostile

    def steps(self, hostile, step):
        """What the hostile worker heard, as {round: [(code, message)]}."""
        heard = {}
        for line in hostile.text().splitlines():
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("step") == step:
                heard.setdefault(entry["round"], []).append((entry["code"], entry["message"]))
        return heard

    def run_with(self, mode):
        """One job with the hostile worker in that mode: (hostile, its job's records, model digest)."""
        federation = self.federation
        hostile = self.start_hostile(mode)
        job, status = federation.train(**self.job)
        hostile.kill()
        return hostile, federation.records(job), status["model_sha256"]

    def of_hostile(self, records, kind):
        worker = self.federation.worker_ids()[HOSTILE]
        return [r["predicate"] for r in records if r["type"] == kind and r["predicate"]["worker_id"] == worker]

    def check_rejected(self, mode, reason):
        """Both rounds reject the hostile contribution for `reason`, and the model is the one without that worker."""
        hostile, records, model = self.run_with(mode)
        rejected = self.of_hostile(records, "contribution-rejected")
        say(f"{mode}: {[(r['round'], r['reason']) for r in rejected]}, model {model[:12]}")
        self.assertEqual([(r["round"], r["reason"]) for r in rejected], [(1, reason), (2, reason)], hostile.text())
        self.assertEqual(self.of_hostile(records, "contribution"), [])
        for closed in (r["predicate"] for r in records if r["type"] == "round-closed"):
            self.assertEqual(len(closed["included"]), len(GOOD))
            self.assertIn("rejected", [out["reason"] for out in closed["left_out"]])
        self.assertEqual(model, self.never_joined)
        return hostile

    def test_wrong_layout(self):
        self.check_rejected("wrong-layout", "wrong-layout")

    def test_another_size_than_the_layout(self):
        self.check_rejected("other-size", "wrong-layout")

    def test_nan(self):
        hostile = self.check_rejected("nan", "not-finite")
        self.assertEqual(self.steps(hostile, "upload")[1], [("OK", "")])  # ciphertext looks like any other
        self.assertEqual(self.steps(hostile, "submit")[1], [("INVALID_ARGUMENT", "not-finite")])

    def test_bad_last_chunk(self):
        self.check_rejected("bad-last-chunk", "bad-chunk")

    def test_norm_above_the_clip(self):
        self.check_rejected("norm", "norm-above-clip")

    def test_wrong_base_model(self):
        self.check_rejected("wrong-base", "wrong-base-model")

    def test_cut_at_the_end(self):
        self.check_rejected("cut", "wrong-layout")

    def test_truncated(self):
        hostile = self.check_rejected("truncated", "truncated")
        self.assertNotEqual(self.steps(hostile, "upload")[1][0][0], "OK")

    def test_sealed_delta_signed_by_another_worker(self):
        self.check_rejected("other-signature", "wrong-signature")

    def test_contribution_signed_by_another_worker(self):
        self.check_rejected("other-statement", "wrong-signature")

    def test_replayed_from_an_earlier_round(self):
        # In round 1 it keeps to the rules. What round 2 must equal: it did nothing there.
        _, records, without = self.run_with("idle")
        self.assertEqual(len(self.of_hostile(records, "contribution")), 1)
        self.assertNotEqual(without, self.never_joined)
        for mode in ("replayed-upload", "replayed-record"):
            with self.subTest(mode):
                hostile, records, model = self.run_with(mode)
                rejected = self.of_hostile(records, "contribution-rejected")
                say(f"{mode}: {[(r['round'], r['reason']) for r in rejected]}, model {model[:12]}")
                self.assertEqual([(r["round"], r["reason"]) for r in rejected], [(2, "replayed")], hostile.text())
                self.assertEqual([c["round"] for c in self.of_hostile(records, "contribution")], [1])
                self.assertEqual(model, without)

    def run_with_a_round_held_open(self, mode, meanwhile=lambda job: None):
        """One good worker is held, so that the round is still open when the hostile one has done its work."""
        federation = self.federation
        hostile = self.start_hostile(mode)
        held = federation.workers[GOOD[0]]
        self.addCleanup(lambda: held.alive and held.send(signal.SIGCONT))
        held.send(signal.SIGSTOP)
        job = federation.submit(federation.write_job(**{**self.job, "rounds": 1}))
        meanwhile(job)
        wait_for(lambda: self.steps(hostile, "done"), "the hostile worker to be done")
        held.send(signal.SIGCONT)
        status = federation.wait_ended(job)
        hostile.kill()
        return hostile, federation.records(job), status

    def test_another_workers_sealed_delta_as_its_own(self):
        """Rejected; and the other worker's accepted delta is still there to be combined."""
        federation = self.federation

        def hand_over(job):
            victim = federation.worker_ids()[GOOD[1]]
            taken = wait_for(lambda: [r["predicate"] for r in federation.records_of("contribution", job)
                                      if r["predicate"]["worker_id"] == victim], "the other worker's contribution")[0]
            other = federation.folder / "other-delta.json"
            other.with_suffix(".new").write_text(json.dumps({
                "sealed_sha256": base64.b64decode(taken["sealed_sha256"]).hex(),
                "header_sha256": base64.b64decode(taken["header_sha256"]).hex(), "sealed_bytes": int(taken["sealed_bytes"])}))
            other.with_suffix(".new").rename(other)

        hostile, records, status = self.run_with_a_round_held_open("stolen", hand_over)
        rejected = [(r["predicate"]["round"], r["predicate"]["reason"]) for r in records if r["type"] == "contribution-rejected"]
        say(f"stolen: {rejected}, model {status['model_sha256'][:12]}")
        self.assertEqual(rejected, [(1, "wrong-header")], hostile.text())
        self.assertEqual([r["predicate"]["attempt"] for r in records if r["type"] == "aggregate"], [1])
        self.assertEqual(status["model_sha256"], self.never_joined_one_round)

    def test_a_second_different_one_after_an_accepted_one(self):
        federation = self.federation
        one_round = {**self.job, "rounds": 1}
        hostile = self.start_hostile("ordinary")
        _, status = federation.train(**one_round)
        hostile.kill()
        ordinary = status["model_sha256"]
        hostile, records, status = self.run_with_a_round_held_open("second")
        rejected = self.of_hostile(records, "contribution-rejected")
        say(f"second: {[(r['round'], r['reason']) for r in rejected]}, model {status['model_sha256'][:12]}")
        self.assertEqual([(r["round"], r["reason"]) for r in rejected], [(1, "second-contribution")], hostile.text())
        self.assertEqual([c["round"] for c in self.of_hostile(records, "contribution")], [1])
        self.assertEqual(status["model_sha256"], ordinary)  # the first one counts


if __name__ == "__main__":
    unittest.main(verbosity=2)
