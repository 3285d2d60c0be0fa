"""The examples as programs, against known answers and against the built-in trainer."""

import importlib.util
import pathlib
import tempfile
import unittest

import numpy as np

from carnet_trainer import safetensors
from tests import talk

DIGITS = talk.SDK.parents[1] / "examples" / "digits" / "digits.csv"
SETTINGS = {"learning_rate": 0.5, "features_scale": 0.0625}
STOP = {"op": "stop"}
HAS_TORCH = importlib.util.find_spec("torch") is not None


class Site:
    """A directory with a model of the digits' shape and the training rows of worker 0 of 4."""

    def __init__(self, case):
        directory = tempfile.TemporaryDirectory()
        case.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        safetensors.write(self.path / "base.safetensors", {"weight": np.zeros((64, 10)), "bias": np.zeros(10)})
        raw = (self.path / "base.safetensors").read_bytes()
        (self.path / "layout.json").write_bytes(raw[8 : -650 * 4].rstrip(b" "))
        rows = DIGITS.read_text().splitlines(keepends=True)
        (self.path / "train.csv").write_text("".join(rows[:1437]))
        (self.path / "shard.csv").write_text("".join(rows[:1437:4]))
        (self.path / "test.csv").write_text("".join(rows[1437:]))

    def write_model(self, name, seed):
        random = np.random.default_rng(seed)
        safetensors.write(
            self.path / name, {"weight": random.normal(size=(64, 10)), "bias": random.normal(size=10)}
        )


class ExampleTest(unittest.TestCase):
    def setUp(self):
        self.site = Site(self)

    def done(self, command, *requests, settings=None):
        code, replies, stderr = talk.talk(
            command, [talk.start({**SETTINGS, **(settings or {})}), *requests, STOP], self.site.path
        )
        self.assertEqual(code, 0, stderr)
        for reply in replies:
            self.assertNotIn("error", reply)
        return [reply["done"] for reply in replies if "done" in reply]

    def apply_delta(self):
        base = safetensors.read(self.site.path / "base.safetensors")
        delta = safetensors.read(self.site.path / "delta.safetensors")
        safetensors.write(self.site.path / "local.safetensors", {name: base[name] + delta[name] for name in base})

    def check_central_training(self, command):
        # 50 central full-batch steps equal 50 rounds of FedAvg with one step: examples/digits/README.md.
        (fitted,) = self.done(command, talk.fit(50, data="train.csv"))
        self.assertEqual((fitted["examples"], fitted["steps"]), (1437, 50))
        self.apply_delta()
        train, test = self.done(
            command, talk.evaluate("local.safetensors", "train.csv"), talk.evaluate("local.safetensors", "test.csv")
        )
        self.assertAlmostEqual(train["metrics"]["loss"], 0.59946177, delta=1e-5)
        self.assertAlmostEqual(test["metrics"]["accuracy"], 0.858333, delta=1e-6)

    def test_numpy_reaches_the_known_answer(self):
        self.check_central_training(talk.NUMPY_EXAMPLE)

    @unittest.skipUnless(HAS_TORCH, "PyTorch is not installed: the torch example was not run")
    def test_torch_reaches_the_known_answer(self):
        self.check_central_training(talk.TORCH_EXAMPLE)

    @unittest.skipUnless(HAS_TORCH, "PyTorch is not installed: the torch example was not run")
    def test_torch_agrees_with_numpy(self):
        self.compare(talk.TORCH_EXAMPLE, talk.NUMPY_EXAMPLE, tolerance=1e-5)

    @unittest.skipUnless(talk.builtin_softmax(), "CARNET_BUILTIN_TRAINER is not set: no built-in trainer to compare")
    def test_the_builtin_agrees_with_numpy(self):
        self.compare(talk.builtin_softmax(), talk.NUMPY_EXAMPLE, tolerance=1e-6)

    @unittest.skipUnless(talk.builtin_softmax(), "CARNET_BUILTIN_TRAINER is not set: no built-in trainer to compare")
    def test_the_builtin_and_python_refuse_the_same(self):
        (self.site.path / "cut.safetensors").write_bytes((self.site.path / "base.safetensors").read_bytes()[:-1])
        safetensors.write(self.site.path / "other.safetensors", {"weight": np.zeros((64, 9)), "bias": np.zeros(9)})
        raw = (self.site.path / "base.safetensors").read_bytes()
        (self.site.path / "nan.safetensors").write_bytes(raw[:-4] + np.float32(np.nan).tobytes())
        (self.site.path / "bad.csv").write_text("1,2,3\n")
        for expected, settings, requests in (
            ("settings", {"momentum": 0.9}, []),
            ("settings", {"learning_rate": 0}, []),
            ("settings", {"batch_size": 2.5}, []),
            ("parameters", {}, [talk.fit(1, parameters="none.safetensors")]),
            ("parameters", {}, [talk.fit(1, parameters="cut.safetensors")]),
            ("layout", {}, [talk.fit(1, parameters="other.safetensors")]),
            ("not-finite", {}, [talk.fit(1, parameters="nan.safetensors")]),
            ("data", {}, [talk.fit(1, data="none.csv")]),
            ("data", {}, [talk.fit(1, data="bad.csv")]),
            ("io", {}, [talk.fit(1, delta="no/such/delta")]),
            ("protocol", {}, [talk.fit(0)]),
            ("protocol", {}, [{"op": "dance"}]),
        ):
            for command in (talk.builtin_softmax(), talk.NUMPY_EXAMPLE):
                with self.subTest(expected=expected, requests=requests, command=command[-1]):
                    _, replies, _ = talk.talk(
                        command, [talk.start({**SETTINGS, **settings}), *requests], self.site.path
                    )
                    self.assertEqual(replies[-1]["error"]["code"], expected)

    def compare(self, one, other, tolerance):
        """Same base, same shard, same seed: the same delta, loss and accuracy, for full and for shuffled batches."""
        self.site.write_model("base.safetensors", seed=4)
        for settings in ({}, {"batch_size": 50}):
            results = []
            for command in (one, other):
                done = self.done(
                    command, talk.fit(20, seed=1 << 63), talk.evaluate(data="test.csv"), settings=settings
                )
                delta = safetensors.read(self.site.path / "delta.safetensors")
                results.append((done, delta))
            (done_one, delta_one), (done_other, delta_other) = results
            self.assertEqual(list(delta_one), list(delta_other))
            for name, values in delta_one.items():
                np.testing.assert_allclose(values, delta_other[name], rtol=0, atol=tolerance)
                self.assertGreater(np.abs(values).max(), 1e-2)
            for task_one, task_other in zip(done_one, done_other):
                self.assertEqual(task_one["examples"], task_other["examples"])
                self.assertEqual(list(sorted(task_one["metrics"])), list(sorted(task_other["metrics"])))
                for name, value in task_one["metrics"].items():
                    self.assertAlmostEqual(value, task_other["metrics"][name], delta=tolerance)


if __name__ == "__main__":
    unittest.main()
