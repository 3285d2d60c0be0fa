"""Rows from CSV files and the order in which training steps take them, exactly as the built-in trainers do."""

import re

import numpy as np

from .errors import TrainerError

_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LABEL = re.compile(r"-?\d+", re.ASCII)
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def read_csv(paths, features, classes, scale=1.0):
    """(features as float64 [rows, features] times `scale`, labels as int64 [rows]).

    Each path is a file, or a directory whose *.csv files are read in the order of their names: numeric columns, the
    last one the label, no header line.

    Raises TrainerError: "data" with the file and line.
    """
    rows, labels = [], []
    for path in paths:
        for file in _csv_files(path):
            _read_file(file, features, classes, rows, labels)
    if not rows:
        raise TrainerError("data", "the data has no rows")
    return np.array(rows, dtype=np.float64) * scale, np.array(labels, dtype=np.int64)


def _csv_files(path):
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise TrainerError("data", f"there is no file or directory {path}")
    files = sorted((p for p in path.iterdir() if p.suffix == ".csv" and p.is_file()), key=lambda p: p.name.encode())
    if not files:
        raise TrainerError("data", f"there is no .csv file in {path}")
    return files


def _read_file(file, features, classes, rows, labels):
    try:
        with open(file, encoding="ascii", newline="") as lines:
            for number, line in enumerate(lines, 1):
                where = f"{file.name} line {number}"
                cells = line.rstrip("\n")
                cells = (cells[:-1] if cells.endswith("\r") else cells).split(",")
                if len(cells) != features + 1:
                    raise TrainerError("data", f"{where}: expected {features + 1} columns, found {len(cells)}")
                rows.append(_numbers(where, cells[:-1]))
                if not _LABEL.fullmatch(cells[-1]) or not 0 <= int(cells[-1]) < classes:
                    raise TrainerError("data", f"{where}: the label must be an integer from 0 to {classes - 1}")
                labels.append(int(cells[-1]))
    except OSError as error:
        raise TrainerError("data", f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TrainerError("data", f"{file.name} is not an ASCII text") from error


def _numbers(where, cells):
    values = []
    for column, cell in enumerate(cells, 1):
        value = float(cell) if _NUMBER.fullmatch(cell) else np.inf
        if not np.isfinite(value):
            raise TrainerError("data", f"{where}: column {column}: expected a finite number")
        values.append(value)
    return values


def batches(rows, batch_size, seed):
    """Endless batches of row numbers: each epoch a new order from `seed`, its last batch possibly smaller.

    batch_size 0 or not below `rows`: every batch is all rows in their own order.
    """
    if batch_size == 0 or batch_size >= rows:
        everything = np.arange(rows)
        while True:
            yield everything
    epoch = 0
    while True:
        order = shuffled_rows(rows, seed, epoch)
        for begin in range(0, rows, batch_size):
            yield order[begin : begin + batch_size]
        epoch += 1


def shuffled_rows(rows, seed, epoch):
    """Rows 0..rows-1 sorted by the keys that SplitMix64 gives them, ties by row."""
    state = _mix(seed ^ _mix(epoch))
    keys = np.uint64(state) + np.arange(1, rows + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(keys ^ (keys >> np.uint64(31)), kind="stable")


def _mix(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
