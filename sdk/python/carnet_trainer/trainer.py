"""Turns a class into a trainer that a Carnet worker can run."""

import dataclasses
import math
import os
import pathlib
import sys
import traceback
from typing import Callable, Dict, List, Tuple

import numpy as np

from . import protocol, safetensors
from .errors import TrainerError

EXIT_STOPPED = 0  # asked to by "stop"
EXIT_INPUT_ENDED = 1  # standard input ended without "stop": the worker is gone
EXIT_PROTOCOL = 2  # a line that is no protocol 1
EXIT_OUTPUT_FAILED = 3  # a reply could not be written

# Progress lines of one fit, at most (besides the one of the last step).
_PROGRESS_LINES_MAX = 20


@dataclasses.dataclass(frozen=True)
class Job:
    """What "start" said; the same for every task of the job."""

    name: str
    layout: Dict[str, Tuple[int, ...]]  # shape of each parameter, by name
    settings: dict  # the job file's settings as they are
    device: str  # "auto", "cpu", "cuda", …


@dataclasses.dataclass(frozen=True)
class Context:
    """One task: what a fit or an evaluation is about."""

    job: Job
    data: List[pathlib.Path]  # files or directories of this worker's shards, read-only
    round: int = 0  # fit only
    steps: int = 0  # fit only: how many local steps to take
    seed: int = 0  # fit only: seeds shuffling, so that a round can be run again
    _report: Callable = None

    @property
    def settings(self):
        return self.job.settings

    def progress(self, step, loss):
        """Reports the loss of local step 1..steps; call it as often as you like, it writes seldom.

        Raises TrainerError: "not-finite" when the loss is NaN or infinite, which ends the fit.
        """
        loss = float(loss)
        if not math.isfinite(loss):
            raise TrainerError("not-finite", f"the loss is not finite at step {step}")
        every = max(1, self.steps // _PROGRESS_LINES_MAX)
        if self._report is not None and (step % every == 0 or step == self.steps):
            self._report({"progress": {"step": int(step), "of": self.steps, "loss": loss}})


@dataclasses.dataclass(frozen=True)
class Fit:
    """The result of a fit: the parameters after local training (the SDK subtracts the base)."""

    parameters: Dict[str, np.ndarray]
    examples: int
    metrics: Dict[str, float] = dataclasses.field(default_factory=dict)
    steps: int = -1  # as many as were asked for, unless given


@dataclasses.dataclass(frozen=True)
class Evaluation:
    examples: int
    metrics: Dict[str, float] = dataclasses.field(default_factory=dict)


def trainer(*, name, version):
    """Marks a class as a trainer.

    The class has ``fit(self, parameters, context) -> Fit`` and ``evaluate(self, parameters, context) -> Evaluation``;
    optional: ``start(self, job)``, called once, and ``checkpoint(self, directory)``. Parameters are float32 arrays by
    name, copies that may be changed in place.
    """

    def mark(cls):
        for method in ("fit", "evaluate"):
            if not callable(getattr(cls, method, None)):
                raise TypeError(f"a trainer needs the method {method}(self, parameters, context)")
        cls.trainer_name = name
        cls.trainer_version = version
        return cls

    return mark


def read_settings(settings, required=(), **defaults):
    """The numeric settings of a job: every name of `required` and of `defaults`, no other.

    Values are floats, and ints where the default is an int (32.0 counts as 32).

    Raises TrainerError: "settings" an unknown one, a missing one, or no finite number.
    """
    unknown = sorted(set(settings) - set(required) - set(defaults))
    if unknown:
        raise TrainerError("settings", f"unknown setting {unknown[0]}")
    values = dict(defaults)
    for name in list(required) + list(defaults):
        if name in settings:
            values[name] = _number(name, settings[name], whole=isinstance(defaults.get(name), int))
        elif name in required:
            raise TrainerError("settings", f"{name}: is required")
    return values


def _number(name, value, whole):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TrainerError("settings", f"{name}: expected a finite number")
    if whole and value != int(value):
        raise TrainerError("settings", f"{name}: expected an integer")
    return int(value) if whole else float(value)


def serve(cls):
    """Runs the trainer on standard input and output until it is told to stop; returns the exit code.

    Standard output carries the protocol, so from here on everything that the trainer or its libraries print goes to
    standard error, which the worker keeps as the trainer's log.
    """
    requests, replies = _claim_standard_streams()
    return Server(cls, requests, replies).run()


def _claim_standard_streams():
    sys.stdout.flush()
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, replies


class Server:
    """One conversation with a worker over two binary streams."""

    def __init__(self, cls, requests, replies):
        self._cls = cls
        self._requests = requests
        self._replies = replies
        self._trainer = None
        self._job = None

    def run(self):
        try:
            while True:
                code = self._serve_line()
                if code is not None:
                    return code
        except BrokenPipeError:
            return EXIT_OUTPUT_FAILED

    def _serve_line(self):
        """Answers one line; an exit code when it was the last."""
        try:
            line = protocol.read_line(self._requests)
            if line is None:
                return EXIT_INPUT_ENDED
            request = protocol.parse_request(line)
            if request["op"] == "stop":
                return EXIT_STOPPED
            self._write(self._answer(request))
        except TrainerError as error:
            self._write({"error": {"code": error.code, "message": error.message}})
            if error.code == "protocol":
                return EXIT_PROTOCOL
        return None

    def _write(self, reply):
        self._replies.write(protocol.encode(reply))
        self._replies.flush()

    def _answer(self, request):
        op = request["op"]
        if (op == "start") != (self._job is None):
            raise TrainerError(
                "protocol", "start was already given" if op == "start" else "the first request must be start"
            )
        try:
            return getattr(self, f"_{op}")(request)
        except (TrainerError, BrokenPipeError):
            raise
        except MemoryError as error:
            raise TrainerError("internal", "out of memory") from error
        except Exception as error:  # the author's code: its traceback helps him, and stays on this machine
            traceback.print_exc(file=sys.stderr)
            raise TrainerError("internal", f"{type(error).__name__} in {op}; see the trainer's log") from error

    def _start(self, request):
        layout = safetensors.read_layout(request["layout"])
        job = Job(request["job"], layout, request["settings"], request["device"])
        instance = self._cls()
        if hasattr(instance, "start"):
            instance.start(job)
        self._trainer, self._job = instance, job
        return {"ok": True, "trainer": self._cls.trainer_name, "version": self._cls.trainer_version}

    def _fit(self, request):
        base = self._read_parameters(request["parameters"])
        context = Context(
            self._job,
            _data_paths(request),
            request["round"],
            request["steps"],
            request["seed"],
            self._write,
        )
        result = self._trainer.fit({name: values.copy() for name, values in base.items()}, context)
        if not isinstance(result, Fit):
            raise TrainerError("internal", "fit must return a Fit")
        steps = context.steps if result.steps == -1 else result.steps
        done = {
            "examples": _count("examples", result.examples),
            "steps": _count("steps", steps),
            "metrics": protocol.check_metrics(result.metrics),
        }
        safetensors.write(request["delta"], _delta(base, result.parameters))
        return {"done": done}

    def _evaluate(self, request):
        parameters = self._read_parameters(request["parameters"])
        result = self._trainer.evaluate(parameters, Context(self._job, _data_paths(request)))
        if not isinstance(result, Evaluation):
            raise TrainerError("internal", "evaluate must return an Evaluation")
        metrics = protocol.check_metrics(result.metrics)
        return {"done": {"examples": _count("examples", result.examples), "metrics": metrics}}

    def _checkpoint(self, request):
        directory = pathlib.Path(request["to"])
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainerError("io", f"the checkpoint directory cannot be made: {error.strerror}") from error
        if hasattr(self._trainer, "checkpoint"):
            self._trainer.checkpoint(directory)
        return {"done": {}}

    def _read_parameters(self, path):
        parameters = safetensors.read(path)
        if safetensors.layout_of(parameters) != self._job.layout:
            raise TrainerError("layout", "the parameter file has another layout than the job")
        for name, values in parameters.items():
            if not np.isfinite(values).all():
                raise TrainerError("not-finite", f"the parameter {name} is not finite")
        return parameters


def _data_paths(request):
    paths = [pathlib.Path(path) for path in request["data"]]
    for path in paths:
        if not path.exists():
            raise TrainerError("data", f"there is no file or directory {path}")
    return paths


def _count(name, value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise TrainerError("internal", f"{name} must be a count")
    return int(value)


def _delta(base, local):
    """local - base in double; the writer rounds once to float32."""
    if set(local) != set(base):
        raise TrainerError("layout", "fit returned other parameters than it was given")
    delta = {}
    for name, start in base.items():
        values = np.asarray(local[name])
        if values.shape != start.shape or not np.issubdtype(values.dtype, np.floating):
            raise TrainerError("layout", f"fit returned {name} with another shape or no floating-point type")
        delta[name] = values.astype(np.float64) - start.astype(np.float64)
    return delta
