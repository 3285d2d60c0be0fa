#!/usr/bin/python3
"""The known answers of the digits through the real system: five processes, TLS, records, an exported model.

The loss is computed by tests/oracle (numpy, no code of Carnet) from the exported model and the CSV.
"""

import json
import subprocess
import sys
import unittest

import numpy as np

from federation import ROOT, SITES, SLOTS, FederationTest, say

sys.path.insert(0, str(ROOT / "tests/oracle"))
import digits_oracle  # noqa: E402
import fedavg_oracle  # noqa: E402

# float32 parameters against float64 (examples/digits/README.md).
LOSS_TOLERANCE = 1e-5
# int8 moves each value of a delta by at most 1/127 of the largest of its block, anew in every round and without bias.
INT8_LOSS_TOLERANCE = 5e-3


def momentum_reference(rounds, steps, learning_rate, momentum, nesterov):
    """Federated averaging with server momentum in float64: FedAvgM (Hsu et al. 2019), or PyTorch's Nesterov SGD."""
    pixels, labels = digits_oracle.read_digits(digits_oracle.DIGITS)
    parts = fedavg_oracle.partition("modulo", labels)
    total = sum(len(part) for part in parts)
    model = [np.zeros((64, 10)), np.zeros(10)]
    velocity = [np.zeros((64, 10)), np.zeros(10)]
    for _ in range(rounds):
        local = [fedavg_oracle.train_locally(*model, pixels[part], labels[part], steps) for part in parts]
        for i in range(2):
            delta = sum(len(part) * (trained[i] - model[i]) for part, trained in zip(parts, local)) / total
            velocity[i] = momentum * velocity[i] + delta
            model[i] = model[i] + learning_rate * (delta + momentum * velocity[i] if nesterov else velocity[i])
    return digits_oracle.measure(*model, pixels, labels)


class KnownAnswers(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.configure("heartbeat: 1s\ntask_poll_max: 1s\nstart_grace: 3s\naggregation_threads: 1\n")
        federation.start_coordinator()
        federation.start_worker("home-1")
        for site in SITES:
            federation.start_worker(f"{site}-1", token=federation.through_proxy(f"{site}-1"), data={
                f"digits/{site}": federation.folder / "data" / site / "train.csv",
                f"by-label/{site}": federation.folder / "data-by-label" / site / "train.csv"})
        federation.wait_live(SLOTS)

    def measure(self, job, name):
        """(loss, accuracy) of the exported, verified model."""
        out = self.federation.export(job, name)
        verified = self.federation.verify(out)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        done = subprocess.run(["/usr/bin/python3", ROOT / "tests/oracle/digits_oracle.py", out / "model.safetensors"],
                              capture_output=True, text=True, check=True)
        measured = json.loads(done.stdout)
        return measured["train_loss"], measured["test_accuracy"]

    def check(self, name, rounds, steps, data, loss, accuracy):
        job, status = self.federation.train(rounds=rounds, steps=steps, data=data, evaluate=10, seconds=240)
        measured_loss, measured_accuracy = self.measure(job, name)
        say(f"{name}: loss {measured_loss:.8f} (known {loss}), accuracy {measured_accuracy:.6f} (known {accuracy})")
        self.assertAlmostEqual(measured_loss, loss, delta=LOSS_TOLERANCE)
        self.assertAlmostEqual(measured_accuracy, accuracy, delta=1e-6)
        # The worker at home says the same of the same model.
        self.assertAlmostEqual(status["metrics"]["accuracy"], measured_accuracy, delta=1e-6)
        return status["model_sha256"]

    def test_50_rounds_of_1_step_by_row(self):
        self.check("50x1-row", 50, 1, "digits/*", 0.59946177, 0.858333)

    def test_50_rounds_of_5_steps_by_row(self):
        self.check("50x5-row", 50, 5, "digits/*", 0.21365782, 0.888889)

    def test_50_rounds_of_5_steps_by_label(self):
        self.check("50x5-label", 50, 5, "by-label/*", 0.31434387, 0.877778)

    def test_int8_stays_close_and_repeats(self):
        digests = []
        for name in ("int8-first", "int8-second"):
            job, status = self.federation.train(rounds=20, steps=5, codec="int8", evaluate=20)
            digests.append(status["model_sha256"])
        pixels, labels = digits_oracle.read_digits(digits_oracle.DIGITS)
        expected, _ = digits_oracle.measure(
            *fedavg_oracle.fedavg(20, 5, fedavg_oracle.partition("modulo", labels), pixels, labels), pixels, labels)
        loss, _ = self.measure(job, name)
        say(f"int8, 20x5 by row: loss {loss:.8f}, without rounding {expected:.8f}")
        self.assertAlmostEqual(loss, expected, delta=INT8_LOSS_TOLERANCE)
        self.assertNotEqual(loss, expected)
        self.assertEqual(*digests)

    def test_momentum_is_fedavgm_and_nesterov_is_pytorchs(self):
        digests = set()
        for nesterov in ("no", "yes"):
            optimizer = f"{{momentum: {{learning_rate: 0.7, momentum: 0.9, nesterov: {nesterov}}}}}"
            job, status = self.federation.train(rounds=10, steps=2, optimizer=optimizer, evaluate=10)
            loss, _ = self.measure(job, f"nesterov-{nesterov}")
            expected, _ = momentum_reference(10, 2, 0.7, 0.9, nesterov == "yes")
            say(f"momentum, nesterov: {nesterov}: loss {loss:.8f}, reference {expected:.8f}")
            self.assertAlmostEqual(loss, expected, delta=LOSS_TOLERANCE)
            digests.add(status["model_sha256"])
        self.assertEqual(len(digests), 2)

    def test_the_same_job_gives_the_same_model_with_1_and_2_aggregation_threads(self):
        federation = self.federation
        bytes_of_model = federation.write_mlp(4096)  # more than one block of 2^18 parameters
        job = {"rounds": 2, "trainer": "mlp", "model": "mlp.safetensors", "evaluate": 2}
        _, first = federation.train(**job)
        _, again = federation.train(**job)
        federation.coordinator.stop()
        federation.configure("heartbeat: 1s\ntask_poll_max: 1s\nstart_grace: 3s\naggregation_threads: 2\n")
        federation.start_coordinator()
        federation.wait_live(SLOTS)
        _, two_threads = federation.train(**job)
        say(f"a model of {bytes_of_model} B, twice with 1 thread, once with 2: {first['model_sha256']}")
        self.assertEqual(first["model_sha256"], again["model_sha256"])
        self.assertEqual(first["model_sha256"], two_threads["model_sha256"])

    def test_zz_workers_are_processes_of_their_own_that_speak_tls_alone(self):
        federation = self.federation
        pids = {slot: worker.pid for slot, worker in federation.workers.items()}
        self.assertEqual(len(set(pids.values())), len(SLOTS))
        for site in SITES:
            slot = f"{site}-1"
            self.assertTrue(federation.workers[slot].alive)
            for port, proxy in zip(("gRPC", "HTTPS"), federation.proxies[slot]):
                totals = proxy.totals()
                say(f"{slot}, pid {pids[slot]}, {port}: {totals['up']} B to home, {totals['down']} B from home, "
                    f"{proxy.tls_records()} TLS records")
                self.assertEqual({first[:2] for first in proxy.first_bytes() if first}, {b"\x16\x03"})  # a handshake record
                self.assertEqual(proxy.plain_connections(), 0)
            # Models out and deltas home: at least a sealed model of each of the 2 x 3 rounds above, both ways.
            self.assertGreater(federation.proxies[slot][0].totals()["up"], 1_000_000)
            self.assertGreater(federation.proxies[slot][0].totals()["down"], 1_000_000)


class ProxySeesPlaintext(unittest.TestCase):
    """The proxy's own check can fail."""

    def test_http_is_no_tls(self):
        from proxy import TlsFraming
        framing = TlsFraming()
        framing.feed(b"POST / HTTP/1.1\r\n")
        self.assertTrue(framing.plain)

    def test_records_after_a_handshake_are_tls(self):
        from proxy import TlsFraming
        framing = TlsFraming()
        for byte in b"\x16\x03\x01\x00\x02ab" + b"\x17\x03\x03\x00\x01c":
            framing.feed(bytes([byte]))
        self.assertFalse(framing.plain)
        self.assertEqual(framing.records, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
