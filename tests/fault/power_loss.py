"""What a disk may hold after a power cut, from a journal that disk_faults.cc wrote.

A write is durable when its file was synced after it; a name (made, renamed, removed) when its folder was synced after it.
What was not synced may be there or not: all of it lost, or any part of it, in sectors of 512 bytes; names of one folder
are kept in their order. SQLite's -shm file is memory and never survives.
"""

import os
from pathlib import Path

SECTOR_BYTES = 512


class Operation:
    """One line of the journal."""

    def __init__(self, line, data):
        self.kind, _, rest = line.partition(" ")
        self.data = b""
        if self.kind == "said":
            self.text = rest
        elif self.kind == "write":
            self.path, offset, size, at = rest.rsplit(" ", 3)
            self.offset = int(offset)
            self.data = data[int(at):int(at) + int(size)]
        elif self.kind == "cut":
            self.path, size = rest.rsplit(" ", 1)
            self.size = int(size)
        elif self.kind in ("rename", "link"):
            self.source, self.path = rest.split(" ")
        else:
            self.path = rest


def read_journal(path):
    data = Path(f"{path}.data").read_bytes()
    return [Operation(line, data) for line in Path(path).read_text().splitlines()]


class File:
    """One inode: what is durable, and what came since."""

    def __init__(self, durable=b""):
        self.durable = bytearray(durable)
        self.pending = []

    def sync(self):
        for change in self.pending:
            change(self.durable)
        self.pending = []

    def after_a_cut(self, rng):
        content = bytearray(self.durable)
        for change in self.pending if rng else ():
            change(content, rng)
        return bytes(content)


def write_of(operation):
    def change(content, rng=None):
        for begin in range(0, len(operation.data), SECTOR_BYTES):
            if rng and rng.random() < 0.5:
                continue
            sector = operation.data[begin:begin + SECTOR_BYTES]
            at = operation.offset + begin
            if len(content) < at + len(sector):
                content.extend(bytes(at + len(sector) - len(content)))
            content[at:at + len(sector)] = sector
    return change


def cut_of(operation):
    def change(content, rng=None):
        if rng and rng.random() < 0.5:
            return
        del content[operation.size:]
        content.extend(bytes(operation.size - len(content)))
    return change


class Disk:
    """The folder `root` as a program saw it, and as a power cut would leave it. It begins as `copied_from` stands."""

    def __init__(self, root, copied_from):
        self.root = str(root)
        self.seen = {}  # path -> File, None for a folder
        for folder, folders, files in os.walk(copied_from):
            inside = self.root + folder[len(str(copied_from)):]
            for name in folders:
                self.seen[f"{inside}/{name}"] = None
            for name in files:
                self.seen[f"{inside}/{name}"] = File(Path(folder, name).read_bytes())
        self.durable = dict(self.seen)
        self.pending = {}  # folder -> changes of its names, in order

    def rename_in(self, folder, change):
        change(self.seen)
        self.pending.setdefault(folder, []).append(change)

    def apply(self, operation):
        kind = operation.kind
        if kind == "said":
            return
        path, folder = operation.path, os.path.dirname(operation.path)
        if kind in ("create", "mkdir"):
            made = File() if kind == "create" else None
            self.rename_in(folder, lambda names: names.__setitem__(path, made))
        elif kind == "unlink":
            self.rename_in(folder, lambda names: names.pop(path, None))
        elif kind == "link":
            linked = self.seen[operation.source]
            self.rename_in(folder, lambda names: names.__setitem__(path, linked))
        elif kind == "rename":
            moved, source = self.seen[operation.source], operation.source

            def move(names):
                names.pop(source, None)
                names[path] = moved
            self.rename_in(folder, move)
        elif kind == "sync" and self.seen.get(path, 0) is None or path == self.root:
            for change in self.pending.pop(path, ()):
                change(self.durable)
        elif isinstance(self.seen.get(path), File):
            file = self.seen[path]
            if kind == "sync":
                file.sync()
            else:
                file.pending.append(write_of(operation) if kind == "write" else cut_of(operation))

    def after_a_cut(self, target, rng=None):
        """Lays out below `target` what is left: without `rng`, only what is durable."""
        names = dict(self.durable)
        for changes in self.pending.values():
            for change in changes[:rng.randrange(len(changes) + 1)] if rng else ():
                change(names)
        for path in sorted(names):
            file = names[path]
            place = Path(target + path[len(self.root):])
            if path.endswith("-shm") or not place.parent.is_dir():
                continue
            if file is None:
                place.mkdir(exist_ok=True)
            else:
                place.write_bytes(file.after_a_cut(rng))
