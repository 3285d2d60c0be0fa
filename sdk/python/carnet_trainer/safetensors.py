"""safetensors files of 32-bit floats, read strictly and written in Carnet's canonical form.

Format: https://github.com/huggingface/safetensors#format. Canonical: names sorted by their bytes, data in the same
order, no ``__metadata__``, header padded with spaces to a multiple of 8 bytes.
"""

import json
import math
import os
import struct

import numpy as np

from .errors import TrainerError

HEADER_BYTES_MAX = 16 << 20
TENSORS_MAX = 65536
NAME_BYTES_MAX = 256
DIMS_MAX = 8
PARAMETERS_MAX = 1 << 40
_FLOAT_BYTES = 4


def read(path):
    """The tensors of a file, by name, as float32 arrays in the order of their names. NaN and infinities included.

    Raises TrainerError: "parameters" the file is missing, unreadable or malformed.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            placed, data_start = _read_head(file, size)
            tensors = {}
            for name, (shape, begin, end) in placed.items():
                file.seek(data_start + begin)
                values = np.fromfile(file, dtype="<f4", count=(end - begin) // _FLOAT_BYTES)
                if values.size != (end - begin) // _FLOAT_BYTES:
                    raise TrainerError("parameters", "the parameter file was cut short")
                tensors[name] = values.reshape(shape)
            return tensors
    except OSError as error:
        raise TrainerError("parameters", f"the parameter file cannot be read: {error.strerror}") from error


def layout_of(tensors):
    """Name to shape, sorted by the bytes of the names."""
    return {name: tuple(np.shape(tensors[name])) for name in sorted(tensors, key=lambda n: n.encode())}


def read_layout(path):
    """Name to shape from ``layout.json`` (a safetensors header).

    Raises TrainerError: "layout" the file is missing or malformed.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(HEADER_BYTES_MAX + 1)
        placed = _parse_header(text)
    except OSError as error:
        raise TrainerError("layout", f"the layout file cannot be read: {error.strerror}") from error
    except TrainerError as error:
        raise TrainerError("layout", f"the layout file: {error.message}") from error
    return {name: placed[name][0] for name in sorted(placed, key=lambda n: n.encode())}


def write(path, tensors):
    """Writes the tensors, rounded to float32, so that the file appears whole or not at all.

    Raises TrainerError: "not-finite" a value is NaN or beyond float32; "layout" a name or a shape that no layout has;
    "io" the file cannot be written.
    """
    arrays = {}
    for name in sorted(tensors, key=lambda n: n.encode()):
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(tensors[name], dtype="<f4").reshape(np.shape(tensors[name]))
        if not np.isfinite(values).all():
            raise TrainerError("not-finite", f"{name} is not finite")
        arrays[name] = values
    head = _encode_head(arrays)
    partial = f"{path}.partial"
    try:
        with open(partial, "xb") as file:
            try:
                file.write(head)
                for values in arrays.values():
                    file.write(values.tobytes())
                file.flush()
                os.fsync(file.fileno())
                os.rename(partial, path)
            except OSError:
                os.unlink(partial)
                raise
    except OSError as error:
        raise TrainerError("io", f"the output file cannot be written: {error.strerror}") from error


def _encode_head(arrays):
    header = {}
    begin = 0
    for name, values in arrays.items():
        end = begin + values.size * _FLOAT_BYTES
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        _parse_header(text)
    except TrainerError as error:
        raise TrainerError("layout", error.message) from error
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _read_head(file, size):
    length_bytes = file.read(8)
    if len(length_bytes) < 8:
        raise TrainerError("parameters", "safetensors: the file is shorter than 8 bytes")
    (length,) = struct.unpack("<Q", length_bytes)
    if length < 2 or length > HEADER_BYTES_MAX or 8 + length > size:
        raise TrainerError("parameters", "safetensors: the header's length is out of its range")
    text = file.read(length)
    placed = _parse_header(text)
    data_bytes = max(end for _, _, end in placed.values())
    if 8 + length + data_bytes != size:
        raise TrainerError("parameters", "safetensors: the data does not end at the end of the file")
    return placed, 8 + length


def _refuse_repeated(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is repeated")
    return result


def _parse_header(text):
    """Name to (shape, begin, end), the offsets in bytes from the start of the data."""
    if len(text) > HEADER_BYTES_MAX:
        raise TrainerError("parameters", "safetensors: the header is too large")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_refuse_repeated)
    except (ValueError, RecursionError) as error:
        raise TrainerError("parameters", "safetensors: the header is not JSON, or repeats a key") from error
    if not isinstance(header, dict):
        raise TrainerError("parameters", "safetensors: the header is not a JSON object")
    _check_metadata(header.pop("__metadata__", {}))
    if not 1 <= len(header) <= TENSORS_MAX:
        raise TrainerError("parameters", f"safetensors: expected 1 to {TENSORS_MAX} tensors")
    placed = {name: _place(index, name, entry) for index, (name, entry) in enumerate(header.items())}
    position = 0
    for _, begin, end in sorted(placed.values(), key=lambda place: place[1]):
        if begin != position:
            raise TrainerError("parameters", "safetensors: the tensors overlap or leave a gap")
        position = end
    if position > PARAMETERS_MAX * _FLOAT_BYTES:
        raise TrainerError("parameters", "safetensors: more than 2^40 parameters")
    return placed


def _check_metadata(metadata):
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise TrainerError("parameters", "safetensors: __metadata__ is not text to text")


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _place(index, name, entry):
    where = f"safetensors: tensor {index}"
    if not 1 <= len(name.encode(errors="replace")) <= NAME_BYTES_MAX or any(
        c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in name
    ):
        raise TrainerError("parameters", f"{where}: its name is empty, too long or holds a forbidden character")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise TrainerError("parameters", f"{where}: expected dtype, shape and data_offsets")
    if entry["dtype"] != "F32":
        raise TrainerError("parameters", f"{where}: its dtype is not F32")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not isinstance(shape, list) or len(shape) > DIMS_MAX or not all(_is_count(d) and d > 0 for d in shape):
        raise TrainerError("parameters", f"{where}: its shape is not a list of at most {DIMS_MAX} positive integers")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(o) for o in offsets):
        raise TrainerError("parameters", f"{where}: data_offsets must be two integers")
    if offsets[1] - offsets[0] != math.prod(shape) * _FLOAT_BYTES:
        raise TrainerError("parameters", f"{where}: its offsets do not fit its shape")
    return tuple(shape), offsets[0], offsets[1]
