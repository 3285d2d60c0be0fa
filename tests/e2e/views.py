"""What three readers see of one refusal: golden texts, and the verdict that the auditor's commands derive again.

golden/<flow>.txt holds the texts; CARNET_UPDATE_GOLDEN=1 writes these files anew.
"""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

from federation import BINARY

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
UPDATE = "CARNET_UPDATE_GOLDEN"

# What differs from run to run: ids, digests, times, places in the log, sizes.
NORMAL = (
    (re.compile(r"\b([a-z])-[a-z2-7]{16}\b"), r"<\1-id>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"^\[\d+\] refused", re.M), "[<index>] refused"),
    (re.compile(r"state size \d+"), "state size <n>"),
)


def normal(text):
    for pattern, word in NORMAL:
        text = pattern.sub(word, text)
    return text


def only(index, text):
    """The refusal at that index among those that `carnet policy refusals` prints."""
    blocks = re.split(r"^(?=\[\d+\] refused)", text, flags=re.M)
    return "".join(block for block in blocks if block.startswith(f"[{index}] "))


class Views:
    """Beside FederationTest: call_as(person, …) with an officer olga and an auditor aino, who may read the log."""

    # ---- what is on record ----

    def refusal(self, operation, job=None, to=None):
        """The one refusal on record whose decisions are about that operation, and that place."""
        def about(record):
            return any(d["flow"]["operation"] == f"OPERATION_{operation.upper()}" and to in (None, d["flow"].get("to"))
                       for d in record["predicate"]["decisions"])
        found = [r for r in self.federation.records_of("refusal", job) if about(r)]
        self.assertEqual(len(found), 1, found)
        return found[0]

    # ---- the checks of every case ----

    def derive_again(self, text):
        """Runs the two commands that stand in the auditor's text; returns what the second one printed as JSON."""
        lines = [line.split("carnet ", 1)[1] for line in text.splitlines() if "carnet audit decision" in line or
                 "carnet policy decide" in line]
        self.assertEqual(len(lines), 2, text)
        trust = self.federation.folder / "trust"
        if not trust.exists():
            self.federation.run("ledger", "trust", "--state", self.federation.home, "--out", trust)
        audit = lines[0].replace("--state DIR", f"--state {self.federation.home}")
        audit = audit.replace("trust.policy", str(trust / "trust.policy"))
        done = self.shell(audit)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("the audit of the whole log is good", done.stdout)
        decided = self.shell(lines[1] + " --json")
        self.assertEqual(decided.returncode, 1, decided.stdout + decided.stderr)
        return json.loads(decided.stdout)

    def shell(self, command):
        return subprocess.run([str(BINARY), *shlex.split(command)], capture_output=True, text=True, timeout=120,
                              cwd=self.federation.folder, stdin=subprocess.DEVNULL, env=os.environ)

    def check_views(self, flow, team, operation, job=None, to=None):
        """Golden texts of the three readers, and the verdict derived again."""
        record = self.refusal(operation, job, to)
        scope = ("--job", job) if job else ()
        officer = self.call_as("olga", "policy", "refusals", *scope, "--for", "officer")
        auditor = self.call_as("aino", "policy", "refusals", *scope, "--for", "auditor")
        for done in (officer, auditor):
            self.assertEqual(done.returncode, 0, done.stderr)
        officer, auditor = (only(record["index"], done.stdout) for done in (officer, auditor))
        for text in (team, officer, auditor):
            self.assertTrue(text.strip(), flow)
        again = self.derive_again(auditor)
        [then] = [d for d in record["predicate"]["decisions"] if d["verdict"] != "VERDICT_ALLOW"]
        for key in ("verdict", "facts_sha256", "bundle_sha256", "revision", "evaluator"):
            self.assertEqual(again.get(key), then.get(key), key)
        self.assertEqual([f["reason"] for f in again["failures"]], [f["reason"] for f in then["failures"]])
        self.compare(flow, f"== The ML team reads ==\n{team.strip()}\n\n== The officer reads ==\n{officer.strip()}\n\n"
                           f"== The auditor reads ==\n{auditor.strip()}\n")

    def compare(self, flow, text):
        path = GOLDEN / f"{flow}.txt"
        text = normal(text)
        if os.environ.get(UPDATE):
            GOLDEN.mkdir(exist_ok=True)
            path.write_text(text)
        self.assertTrue(path.exists(), f"{path} is missing: run with {UPDATE}=1")
        self.assertEqual(text, path.read_text(), f"{path} says otherwise; {UPDATE}=1 writes it anew")
