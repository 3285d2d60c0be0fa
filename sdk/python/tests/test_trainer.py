"""The protocol and the author's side of the SDK, without a process: streams in memory."""

import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

from carnet_trainer import Evaluation, Fit, TrainerError, batches, read_csv, read_settings, safetensors, trainer
from carnet_trainer.data import shuffled_rows
from carnet_trainer.protocol import LINE_BYTES_MAX
from carnet_trainer.trainer import EXIT_INPUT_ENDED, EXIT_PROTOCOL, EXIT_STOPPED, Server
from tests import talk

STOP = b'{"op":"stop"}\n'


@trainer(name="scripted", version="2.5")
class Scripted:
    """Adds 0.5 everywhere; `change` may replace what fit returns."""

    change = staticmethod(lambda result, context: result)

    def start(self, job):
        if "refuse" in job.settings:
            raise TrainerError("settings", "refused")

    def fit(self, parameters, context):
        for values in parameters.values():
            values += 0.5
        context.progress(context.steps, 0.25)
        result = Fit(parameters, examples=12, metrics={"loss": np.float32(0.25)})
        return type(self).change(result, context)

    def evaluate(self, parameters, context):
        return Evaluation(examples=7, metrics={"accuracy": 0.75})


class ServerTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.base = {"w": np.array([[1.0, 2.0]], np.float32), "b": np.float32(0)}
        safetensors.write(self.path("base"), self.base)
        raw = pathlib.Path(self.path("base")).read_bytes()
        pathlib.Path(self.path("layout")).write_bytes(raw[8 : -3 * 4].rstrip(b" "))
        pathlib.Path(self.path("data")).write_text("1,0\n")
        self.start = talk.start({}, self.path("layout"))
        self.fit = talk.fit(9, parameters=self.path("base"), delta=self.path("delta"), data=self.path("data"))
        self.evaluate = talk.evaluate(self.path("base"), self.path("data"))

    def path(self, name):
        return str(self.directory / name)

    def serve(self, *requests, cls=Scripted):
        lines = b"".join(r if isinstance(r, bytes) else json.dumps(r).encode() + b"\n" for r in requests)
        out = io.BytesIO()
        code = Server(cls, io.BytesIO(lines), out).run()
        return code, [json.loads(line) for line in out.getvalue().splitlines()]

    def error_code(self, *requests, cls=Scripted):
        return self.serve(*requests, cls=cls)[1][-1]["error"]["code"]

    def changed(self, change):
        return type("Changed", (Scripted,), {"change": staticmethod(change)})

    def test_a_whole_conversation_answers_as_specified(self):
        code, replies = self.serve(
            self.start, self.fit, self.evaluate, {"op": "checkpoint", "to": self.path("ckpt/")}, STOP
        )
        self.assertEqual(code, EXIT_STOPPED)
        self.assertEqual(
            replies,
            [
                {"ok": True, "trainer": "scripted", "version": "2.5"},
                {"progress": {"step": 9, "of": 9, "loss": 0.25}},
                {"done": {"examples": 12, "steps": 9, "metrics": {"loss": 0.25}}},
                {"done": {"examples": 7, "metrics": {"accuracy": 0.75}}},
                {"done": {}},
            ],
        )
        delta = safetensors.read(self.path("delta"))
        self.assertEqual(safetensors.layout_of(delta), safetensors.layout_of(self.base))
        np.testing.assert_array_equal(delta["w"], [[0.5, 0.5]])
        self.assertTrue((self.directory / "ckpt").is_dir())

    def test_a_line_that_breaks_the_protocol_ends_the_trainer_with_2(self):
        for bad in (
            b"\n",
            b"not json\n",
            b"[]\n",
            b"{}\n",
            b'{"op":5}\n',
            b'{"op":"dance"}\n',
            b'{"op":"stop","now":true}\n',
            b'{"op":"stop","op":"stop"}\n',
            b'{"op":"stop"} more\n',
            b'{"op":"checkpoint"}\n',
            b'{"op":"checkpoint","to":"a\\u0000b"}\n',
            b'{"op":"checkpoint","to":"\\ud800"}\n',
            b'{"op":"checkpoint","to":"\xff"}\n',
            b'{"op":"checkpoint","to":NaN}\n',
            b'{"op":' + b"[" * 100000 + b"]" * 100000 + b"}\n",
            b" " * (LINE_BYTES_MAX + 1),
            {**self.fit, "steps": 0},
            {**self.fit, "steps": 1.0},
            {**self.fit, "steps": True},
            {**self.fit, "seed": 1 << 64},
            {**self.fit, "round": -1},
            {**self.fit, "data": []},
            {**self.fit, "data": "x"},
            {**self.fit, "more": 1},
            self.start,
        ):
            with self.subTest(bad=str(bad)[:80]):
                code, replies = self.serve(self.start, bad, self.fit)
                self.assertEqual(code, EXIT_PROTOCOL)
                self.assertEqual(replies[-1]["error"]["code"], "protocol")
        self.assertEqual(self.serve(self.fit)[0], EXIT_PROTOCOL)
        self.assertEqual(self.serve({**self.start, "protocol": 2})[0], EXIT_PROTOCOL)

    def test_the_end_of_the_input_is_told_apart(self):
        self.assertEqual(self.serve(self.start)[0], EXIT_INPUT_ENDED)

    def test_a_failed_start_may_be_repeated(self):
        refused = {**self.start, "settings": {"refuse": 1}}
        code, replies = self.serve(refused, self.start, STOP)
        self.assertEqual(code, EXIT_STOPPED)
        self.assertEqual(replies[0]["error"]["code"], "settings")
        self.assertTrue(replies[1]["ok"])

    def test_missing_files_and_other_layouts_are_refused(self):
        self.assertEqual(self.error_code({**self.start, "layout": self.path("none")}), "layout")
        self.assertEqual(self.error_code(self.start, {**self.fit, "parameters": self.path("none")}), "parameters")
        self.assertEqual(self.error_code(self.start, {**self.fit, "data": [self.path("none")]}), "data")
        safetensors.write(self.path("other"), {"w": np.zeros((1, 3)), "b": np.zeros(())})
        self.assertEqual(self.error_code(self.start, {**self.fit, "parameters": self.path("other")}), "layout")
        self.assertEqual(self.error_code(self.start, {**self.fit, "delta": self.path("no/delta")}), "io")

    def test_parameters_that_are_not_finite_are_refused(self):
        raw = pathlib.Path(self.path("base")).read_bytes()
        pathlib.Path(self.path("nan")).write_bytes(raw[:-4] + np.float32(np.nan).tobytes())
        self.assertEqual(self.error_code(self.start, {**self.fit, "parameters": self.path("nan")}), "not-finite")

    def test_what_fit_returns_is_checked_and_leaves_no_delta(self):
        def with_parameters(parameters):
            return lambda result, context: Fit(parameters(result.parameters), 1)

        for code, change in (
            ("not-finite", with_parameters(lambda p: {**p, "b": np.float32(np.nan)})),
            ("not-finite", with_parameters(lambda p: {**p, "b": np.float64(1e39)})),
            ("layout", with_parameters(lambda p: {"w": p["w"]})),
            ("layout", with_parameters(lambda p: {**p, "more": p["b"]})),
            ("layout", with_parameters(lambda p: {**p, "w": p["w"].T})),
            ("layout", with_parameters(lambda p: {**p, "b": np.int64(1)})),
            ("internal", lambda result, context: None),
            ("internal", lambda result, context: Fit(result.parameters, examples=-1)),
            ("internal", lambda result, context: Fit(result.parameters, 1, {"loss": "low"})),
            ("not-finite", lambda result, context: Fit(result.parameters, 1, {"loss": float("inf")})),
            ("not-finite", lambda result, context: context.progress(1, float("nan"))),
        ):
            with self.subTest(code=code):
                self.assertEqual(self.error_code(self.start, self.fit, cls=self.changed(change)), code)
                self.assertFalse((self.directory / "delta").exists())

    def test_an_exception_becomes_an_internal_error_without_its_text(self):
        def fail(result, context):
            raise KeyError("a name from the data")

        stderr, sys.stderr = sys.stderr, io.StringIO()
        try:
            code, replies = self.serve(self.start, self.fit, self.evaluate, STOP, cls=self.changed(fail))
            self.assertIn("a name from the data", sys.stderr.getvalue())
        finally:
            sys.stderr = stderr
        self.assertEqual(code, EXIT_STOPPED)
        self.assertEqual(replies[-2]["error"]["code"], "internal")
        self.assertNotIn("a name from the data", json.dumps(replies))
        self.assertIn("done", replies[-1])

    def test_progress_is_thinned_out(self):
        def report(result, context):
            for step in range(1, context.steps + 1):
                context.progress(step, 0.5)
            return result

        _, replies = self.serve(self.start, {**self.fit, "steps": 1000}, STOP, cls=self.changed(report))
        steps = [reply["progress"]["step"] for reply in replies if "progress" in reply]
        self.assertLessEqual(len(steps), 22)
        self.assertEqual(steps[-1], 1000)

    def test_a_trainer_without_its_methods_is_no_trainer(self):
        with self.assertRaises(TypeError):
            trainer(name="half", version="1")(type("Half", (), {"fit": lambda self, p, c: None}))

    def test_prints_go_to_standard_error(self):
        program = self.directory / "train.py"
        program.write_text(
            "import os, sys\n"
            f"sys.path.insert(0, {str(talk.SDK)!r})\n"
            "from carnet_trainer import Evaluation, Fit, serve, trainer\n"
            "@trainer(name='loud', version='1')\n"
            "class Loud:\n"
            "    def fit(self, parameters, context):\n"
            "        print('from print')\n"
            "        os.system('echo from a child')\n"
            "        os.write(1, b'from a library')\n"
            "        return Fit(parameters, examples=1)\n"
            "    def evaluate(self, parameters, context):\n"
            "        return Evaluation(examples=1)\n"
            "sys.exit(serve(Loud))\n"
        )
        code, replies, stderr = talk.talk(
            [sys.executable, str(program)], [self.start, self.fit, STOP], self.directory
        )
        self.assertEqual(code, 0)
        self.assertEqual([next(iter(reply)) for reply in replies], ["ok", "done"])
        for text in ("from print", "from a child", "from a library"):
            self.assertIn(text, stderr)

    def test_a_worker_that_went_away_ends_the_trainer(self):
        process = subprocess.Popen(
            talk.NUMPY_EXAMPLE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        process.stdout.close()
        process.communicate(b'{"op":"dance"}\n', timeout=60)
        self.assertEqual(process.returncode, 3)


class SettingsTest(unittest.TestCase):
    def test_reads_numbers_with_the_type_of_their_default(self):
        values = read_settings({"rate": 1, "size": 32.0}, required=["rate"], size=0, scale=1.0)
        self.assertEqual(values, {"rate": 1.0, "size": 32, "scale": 1.0})
        self.assertIsInstance(values["size"], int)

    def test_refuses_unknown_missing_and_other_values(self):
        for bad in ({}, {"rate": "1"}, {"rate": True}, {"rate": float("inf")}, {"rate": 1, "x": 1},
                    {"rate": 1, "size": 1.5}):
            with self.subTest(bad=bad), self.assertRaises(TrainerError) as caught:
                read_settings(bad, required=["rate"], size=0)
            self.assertEqual(caught.exception.code, "settings")


class DataTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def test_reads_files_and_directories_in_order(self):
        (self.directory / "b.csv").write_text("2,4,1\r\n")
        (self.directory / "a.csv").write_text("-1.5,2e1,0\n.5,4.,2")
        (self.directory / "notes.txt").write_text("no data")
        x, y = read_csv([self.directory], 2, 3, 0.5)
        np.testing.assert_array_equal(x, [[-0.75, 10], [0.25, 2], [1, 2]])
        np.testing.assert_array_equal(y, [0, 2, 1])

    def test_refuses_other_rows_naming_the_line(self):
        for bad in ("1,2", "1,2,3,4", "", "a,b,1", "1,,3", "1, 2,0", "nan,1,1", "inf,1,1", "1e999,1,1", "+1,1,1",
                    "1_0,1,1", "1,2,3", "1,2,-1", "1,2,1.0", "1,2,", "1;2;0"):
            (self.directory / "x.csv").write_text(f"1,2,0\n{bad}\n")
            with self.subTest(bad=bad), self.assertRaises(TrainerError) as caught:
                read_csv([self.directory / "x.csv"], 2, 3)
            self.assertEqual(caught.exception.code, "data")
            self.assertIn("x.csv line 2", caught.exception.message)

    def test_refuses_missing_and_empty_data(self):
        (self.directory / "empty.csv").write_text("")
        for path in (self.directory / "none", self.directory / "empty.csv"):
            with self.assertRaises(TrainerError) as caught:
                read_csv([path], 2, 3)
            self.assertEqual(caught.exception.code, "data")

    def test_batches_cut_each_epoch_and_full_batches_keep_their_order(self):
        order = shuffled_rows(10, 3, 0)
        self.assertEqual(sorted(order), list(range(10)))
        cut = batches(10, 4, 3)
        taken = [next(cut) for _ in range(4)]
        self.assertEqual([list(batch) for batch in taken[:3]], [list(order[:4]), list(order[4:8]), list(order[8:])])
        np.testing.assert_array_equal(taken[3], shuffled_rows(10, 3, 1)[:4])
        np.testing.assert_array_equal(next(batches(3, 0, 5)), [0, 1, 2])


if __name__ == "__main__":
    unittest.main()
