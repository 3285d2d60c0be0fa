import json
import os
import pathlib
import struct
import tempfile
import unittest

import numpy as np

from carnet_trainer import TrainerError, safetensors


def entry(shape, begin, end, **changes):
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end], **changes}


def encode(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class SafetensorsTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name) / "file.safetensors"

    def refuse(self, raw, code="parameters"):
        self.path.write_bytes(raw)
        with self.assertRaises(TrainerError) as caught:
            safetensors.read(self.path)
        self.assertEqual(caught.exception.code, code)

    def test_writes_the_canonical_bytes(self):
        safetensors.write(self.path, {"b": np.array([1.5, -2.0]), "a": np.float32(3)})
        text = (
            b'{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},'
            b'"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}'
        )
        text += b" " * (-len(text) % 8)
        expected = struct.pack("<Q", len(text)) + text + struct.pack("<fff", 3, 1.5, -2)
        self.assertEqual(self.path.read_bytes(), expected)
        self.assertEqual(os.listdir(self.path.parent), ["file.safetensors"])

    def test_reads_back_what_it_wrote(self):
        tensors = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "ü": np.zeros(1, np.float32)}
        safetensors.write(self.path, tensors)
        read = safetensors.read(self.path)
        self.assertEqual(list(safetensors.layout_of(read).items()), [("w", (2, 3)), ("ü", (1,))])
        for name, values in tensors.items():
            np.testing.assert_array_equal(read[name], values)

    def test_reads_metadata_and_any_data_order(self):
        header = {"__metadata__": {"format": "pt"}, "a": entry([1], 4, 8), "b": entry([1], 0, 4)}
        self.path.write_bytes(encode(header, struct.pack("<ff", 1, 2)))
        self.assertEqual({n: v[0] for n, v in safetensors.read(self.path).items()}, {"a": 2.0, "b": 1.0})

    def test_refuses_what_is_not_finite_and_leaves_nothing(self):
        for value in (np.nan, np.inf, 1e39):
            with self.assertRaises(TrainerError) as caught:
                safetensors.write(self.path, {"a": np.array([value])})
            self.assertEqual(caught.exception.code, "not-finite")
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_refuses_to_write_where_it_cannot(self):
        with self.assertRaises(TrainerError) as caught:
            safetensors.write(self.path.parent / "no" / "file", {"a": np.zeros(1)})
        self.assertEqual(caught.exception.code, "io")

    def test_refuses_empty_layouts_and_bad_names(self):
        for tensors in ({}, {"": np.zeros(1)}, {"a\n": np.zeros(1)}, {"a": np.zeros(0)}):
            with self.assertRaises(TrainerError) as caught:
                safetensors.write(self.path, tensors)
            self.assertEqual(caught.exception.code, "layout")

    def test_refuses_malformed_files(self):
        four = b"\0" * 4
        good = encode({"a": entry([1], 0, 4)}, four)
        self.path.write_bytes(good)
        safetensors.read(self.path)
        for raw in (
            b"",
            good[:7],
            good[:-1],
            good + b"\0",
            struct.pack("<Q", 1 << 40) + good[8:],
            encode(b"not json", four),
            encode(b"[]", four),
            encode({}, b""),
            encode({"__metadata__": {"x": 1}, "a": entry([1], 0, 4)}, four),
            encode(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],'
                   b'"data_offsets":[0,4]}}', four),
            encode(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', four),
            encode({"a": entry([1], 0, 4, dtype="F16")}, four),
            encode({"a": entry([1], 0, 4, more=1)}, four),
            encode({"a": {"dtype": "F32", "shape": [1]}}, four),
            encode({"a": entry([-1], 0, 4)}, four),
            encode({"a": entry([True], 0, 4)}, four),
            encode({"a": entry([1.0], 0, 4)}, four),
            encode({"a": entry([0], 0, 0)}, b""),
            encode({"a": entry([2], 0, 4)}, four),
            encode({"a": entry([1] * 9, 0, 4)}, four),
            encode({"a": entry([1], 4, 8)}, b"\0" * 8),
            encode({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, four),
            encode({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, b"\0" * 12),
            encode(b"[" * 200000, four),
        ):
            with self.subTest(raw=raw[:80]):
                self.refuse(raw)

    def test_a_missing_file_and_a_directory_are_clear_errors(self):
        for path in (self.path, self.path.parent):
            with self.assertRaises(TrainerError) as caught:
                safetensors.read(path)
            self.assertEqual(caught.exception.code, "parameters")
        with self.assertRaises(TrainerError) as caught:
            safetensors.read_layout(self.path)
        self.assertEqual(caught.exception.code, "layout")


if __name__ == "__main__":
    unittest.main()
