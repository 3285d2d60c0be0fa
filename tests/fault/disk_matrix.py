#!/usr/bin/python3
"""Every operation on the disk of an append and of a publish, failing in every way; and power cuts between any two.

  disk_matrix.py [--full]      a fixed and a fresh share of the cases (the fresh one follows CARNET_COMMIT_NUMBER), or all

The oracle is ledger_driver's judge: the log opens as at every start, the verifier (which shares no code with the writer)
accepts the store and the published site, every acknowledged root is still the root at its size, no published head is
lost or forked, and the log goes on. A failing case leaves its folder and says how to run it alone (--case).
"""

import argparse
import concurrent.futures
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from power_loss import Disk, read_journal

DRIVER = os.environ["CARNET_LEDGER_DRIVER"]
LIBRARY = os.environ["CARNET_DISK_FAULTS_LIBRARY"]
RECORDS, EXTRA = 253, 8  # over the border of a tile: 256
ERRORS = ("kill-before", "kill-after", "eio", "enospc")
TORN = ("kill-half", "short")
CUTS_RANDOM = 2  # besides the one that keeps only what is durable
SHARE = 6  # one case in so many is always run, another one in so many is this commit's
SECONDS_MAX = 60


def run(arguments, env=None):
    return subprocess.run([DRIVER, *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS_MAX,
                          env={**os.environ, **(env or {})}, check=False)


def faults(root, fault="", journal=""):
    return {"LD_PRELOAD": LIBRARY, "CARNET_DISK_ROOT": str(root), "CARNET_DISK_FAULT": fault,
            "CARNET_DISK_JOURNAL": str(journal)}


def head_of(site):
    """Size of the head that stands in the site; 0 without a whole one."""
    path = Path(site, "checkpoint")
    lines = path.read_text(errors="replace").split("\n") if path.exists() else []
    return int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else 0


def judge(folder, said):
    """What is wrong with the folder, after a run that said these lines; empty: nothing."""
    promised = dict(line.split(" ")[1:] for line in said)  # size -> root
    published = max((int(line.split(" ")[1]) for line in said if line.startswith("published ")), default=0)
    stands = head_of(folder / "site")
    if stands < published:
        return f"a published head of {published} is lost: the site's is of {stands}"
    done = run(["judge", folder, *promised])
    if done.returncode != 0:
        return f"judge: exit {done.returncode}: {done.stderr.strip()}"
    lines = done.stdout.splitlines()
    roots = dict(line.split(" ")[1:] for line in lines if line.startswith("root "))
    if roots != promised:
        return f"acknowledged {promised}, found {roots}"
    return "" if lines and lines[-1].startswith("good ") else "judge said nothing good"


class Matrix:
    def __init__(self, place):
        self.place = Path(place)
        self.base = self.place / "base"
        made = run(["make", self.base, RECORDS, EXTRA])
        if made.returncode != 0:
            raise SystemExit(f"make: {made.stderr}")
        self.recorded = self.place / "recorded"
        shutil.copytree(self.base, self.recorded)
        done = run(["append", self.recorded], faults(self.recorded, journal=self.place / "journal"))
        if done.returncode != 0:
            raise SystemExit(f"append without a fault: {done.stderr}")
        self.journal = read_journal(self.place / "journal")
        self.counted = [o for o in self.journal if o.kind not in ("said", "create")]

    def cases(self):
        for number, operation in enumerate(self.counted, 1):
            for kind in ERRORS + (TORN if operation.kind == "write" else ()):
                yield f"fault {number} {kind}"
        for point in range(len(self.journal) + 1):
            for seed in range(CUTS_RANDOM + 1):
                yield f"cut {point} {seed}"

    def run_case(self, case):
        """The first thing that is wrong; empty: nothing."""
        kind, first, second = case.split(" ")
        folder = self.place / case.replace(" ", "-")
        if kind == "fault":
            shutil.copytree(self.base, folder)
            done = run(["append", folder], faults(folder, f"{first};{second}"))
            said = done.stdout.splitlines()
            if second.startswith("kill") and done.returncode != -9:
                return f"it was not killed: exit {done.returncode}"
            if second == "short" and done.returncode != 0:
                return f"a short write is no error: {done.stderr.strip()}"
        else:
            folder.mkdir()
            said = self.cut(folder, int(first), int(second))
        wrong = judge(folder, said)
        if not wrong:
            shutil.rmtree(folder)
        return wrong

    def cut(self, folder, point, seed):
        disk = Disk(self.recorded, self.base)
        said = []
        for operation in self.journal[:point]:
            if operation.kind == "said":
                said.append(operation.text)
            else:
                disk.apply(operation)
        disk.after_a_cut(str(folder), random.Random(f"{point}/{seed}") if seed else None)
        return said


def of_this_commit(case):
    commit = os.environ.get("CARNET_COMMIT_NUMBER", "0")
    return any(int.from_bytes(hashlib.sha256(f"{salt}{case}".encode()).digest()[:8], "big") % SHARE == 0
               for salt in ("", f"{commit} "))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all cases")
    parser.add_argument("--case", help="this one alone")
    arguments = parser.parse_args()
    # Real disks would only make it slow: what a disk does is simulated.
    place = tempfile.mkdtemp(prefix="carnet-disk-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    matrix = Matrix(place)
    every = list(matrix.cases())
    chosen = [arguments.case] if arguments.case else [c for c in every if arguments.full or of_this_commit(c)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [(case, wrong) for case, wrong in zip(chosen, pool.map(matrix.run_case, chosen)) if wrong]
    kinds = {}
    for operation in matrix.counted:
        kinds[operation.kind] = kinds.get(operation.kind, 0) + 1
    print(f"{len(matrix.counted)} operations ({', '.join(f'{n} {k}' for k, n in sorted(kinds.items()))})")
    print(f"{len(chosen)} of {len(every)} cases run, {len(found)} failed")
    for case, wrong in found[:20]:
        print(f"FAIL {case}: {wrong}")
    if found:
        print(f"the folders are in {place}; one alone: {sys.argv[0]} --case '{found[0][0]}'")
        return 1
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
