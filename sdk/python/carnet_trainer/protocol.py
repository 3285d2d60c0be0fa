"""The trainer protocol, version 1: one JSON object a line, parsed strictly."""

import json
import math

from .errors import TrainerError

VERSION = 1
LINE_BYTES_MAX = 1 << 20
STEPS_MAX = 1_000_000_000
DATA_PATHS_MAX = 4096
PATH_BYTES_MAX = 4096
JSON_DEPTH_MAX = 16
METRIC_NAME_BYTES_MAX = 64
_UINT64_MAX = (1 << 64) - 1

_FIELDS = {
    "start": {"op", "job", "protocol", "layout", "settings", "device"},
    "fit": {"op", "round", "parameters", "delta", "data", "steps", "seed"},
    "evaluate": {"op", "parameters", "data"},
    "checkpoint": {"op", "to"},
    "stop": {"op"},
}


def read_line(stream):
    """The next line without its newline, or None at the end of the input.

    Raises TrainerError: "protocol" the line has more than LINE_BYTES_MAX bytes.
    """
    line = stream.readline(LINE_BYTES_MAX + 1)
    if not line:
        return None
    if line.endswith(b"\n"):
        return line[:-1]
    if len(line) > LINE_BYTES_MAX:
        raise _violation("the line is too long")
    return line


def parse_request(line):
    """A request as a dict whose fields and their types are those of its op.

    Raises TrainerError: "protocol" anything else.
    """
    message = _parse_object(line)
    op = message.get("op")
    if not isinstance(op, str) or op not in _FIELDS:
        raise _violation("the request has an unknown op")
    if set(message) - _FIELDS[op]:
        raise _violation("the request has an unknown field")
    missing = sorted(_FIELDS[op] - set(message))
    if missing:
        raise _violation(f"the request lacks the field {missing[0]}")
    _check_fields(op, message)
    return message


def encode(reply):
    """A reply as its line. Floats are finite (checked by the callers), so this is JSON."""
    return json.dumps(reply, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def check_metrics(metrics):
    """Metrics as finite Python floats. Raises TrainerError: "not-finite", or "internal" for other types."""
    checked = {}
    for name, value in dict(metrics).items():
        if not isinstance(name, str) or not 1 <= len(name.encode()) <= METRIC_NAME_BYTES_MAX:
            raise TrainerError("internal", "a metric has a bad name")
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise TrainerError("internal", f"the metric {name} is not a number") from error
        if not math.isfinite(number):
            raise TrainerError("not-finite", f"the metric {name} is not finite")
        checked[name] = number
    return checked


def _violation(message):
    return TrainerError("protocol", message)


def _refuse_repeated(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _violation("the line repeats a key")
    return result


def _refuse_constant(_):
    raise ValueError("NaN and Infinity are no JSON")


def _depth(value):
    if isinstance(value, dict):
        return 1 + max((_depth(entry) for entry in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((_depth(entry) for entry in value), default=0)
    return 0


def _parse_object(line):
    try:
        message = json.loads(
            line.decode("utf-8"), object_pairs_hook=_refuse_repeated, parse_constant=_refuse_constant
        )
        too_deep = _depth(message) > JSON_DEPTH_MAX
    except RecursionError as error:
        raise _violation("the line is nested too deeply") from error
    except ValueError as error:
        raise _violation("the line is not JSON") from error
    if too_deep:
        raise _violation("the line is nested too deeply")
    if not isinstance(message, dict):
        raise _violation("the line is not a JSON object")
    return message


def _check_fields(op, message):
    for key in ("job", "layout", "device", "parameters", "delta", "to"):
        if key in message:
            _check_text(message[key], key)
    if "data" in message:
        data = message["data"]
        if not isinstance(data, list) or not 1 <= len(data) <= DATA_PATHS_MAX:
            raise _violation(f"data: expected a list of 1 to {DATA_PATHS_MAX} paths")
        for path in data:
            _check_text(path, "data")
    if op == "start":
        if _count(message, "protocol", 0, _UINT64_MAX) != VERSION:
            raise _violation("this trainer speaks protocol 1 only")
        if not isinstance(message["settings"], dict):
            raise _violation("settings: expected an object")
    if op == "fit":
        _count(message, "round", 0, _UINT64_MAX)
        _count(message, "steps", 1, STEPS_MAX)
        _count(message, "seed", 0, _UINT64_MAX)


def _check_text(value, key):
    if not isinstance(value, str):
        raise _violation(f"{key}: expected a text")
    try:
        length = len(value.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise _violation(f"{key}: expected a text") from error
    if not 1 <= length <= PATH_BYTES_MAX or "\0" in value:
        raise _violation(f"{key}: expected 1 to {PATH_BYTES_MAX} bytes without NUL")


def _count(message, key, low, high):
    value = message[key]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _violation(f"{key}: expected an integer from {low} to {high}")
    return value
