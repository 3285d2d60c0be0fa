#!/usr/bin/python3
"""What a real federation wrote, judged by programs that nobody of Carnet wrote: every record of a model's manifest by
Sigstore's verifier, the whole log by Go's golang.org/x/mod/sumdb, its head by openssl. Each also refuses flipped bytes."""

import json
import os
import re
import subprocess
import unittest

from federation import ROOT, FederationTest, say

INTEROP = ROOT / "tests/interop"
SITES = ("fr-1", "sg-1")
# Without Go's module proxy: Debian's golang-golang-x-mod-dev lies under /usr/share/gocode.
GO = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}


class Interop(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_all(("home-1", *SITES))
        cls.heads = [cls.head()]
        cls.job, _ = federation.train(rounds=3, minimum=2, target=2)
        cls.heads.append(cls.head())
        cls.out = federation.export(cls.job)
        # Beside the model, as its receiver would do it; beside the log, as its auditor would.
        cls.received = cls.lay_out("received")
        federation.run("ledger", "export", "--manifest", cls.out / "model.carnet", "--bundles", cls.received / "bundles")
        (cls.received / "trusted-root.json").write_bytes((cls.out / "trusted-root.json").read_bytes())
        cls.audited = cls.lay_out("audited")
        federation.run("ledger", "export", "--state", federation.home, "--tiles", cls.audited / "tiles")
        (cls.audited / "log.vkey").write_text(
            federation.run("ledger", "show", "--vkey", "--state", federation.home).strip())
        (cls.audited / "heads").mkdir()
        for number, head in enumerate(cls.heads):
            (cls.audited / "heads" / str(number)).write_text(head)

    @classmethod
    def lay_out(cls, name):
        folder = cls.federation.folder / name
        folder.mkdir()
        return folder

    @classmethod
    def head(cls):
        return cls.federation.run("ledger", "show", "--head", "--state", cls.federation.home)

    def accepts(self, *command, env=None):
        """Runs a verifier, expects success, and returns what it says."""
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=INTEROP, timeout=300,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        say(done.stdout.strip())
        return done.stdout

    def test_sigstore_verifies_every_record_of_the_manifest(self):
        verified = json.loads(self.federation.verify(self.out).stdout)
        listed = json.loads((self.received / "bundles/bundles.json").read_text())
        self.assertEqual(len(listed), verified["records"])
        # Records of the coordinator, of the workers and of the person who submitted are among them.
        self.assertGreaterEqual(len({record["public_key"] for record in listed}), 1 + len(SITES) + 1)
        types = [record["type"] for record in listed]
        self.assertEqual(types[0], "genesis")
        self.assertEqual(types.count("contribution"), 3 * len(SITES))
        self.assertEqual(types.count("aggregate"), 3)
        said = self.accepts("node", INTEROP / "verify_bundles.js", self.received)
        # The program itself fails when it accepts a bundle with a flipped bit in statement, signature, leaf, proof or head.
        accepted, refused = map(int, re.search(r"(\d+) bundles verified, (\d+) tampered ones refused", said).groups())
        self.assertEqual(accepted, len(listed))
        self.assertEqual(refused, 8 * len(listed))

    def test_go_verifies_the_log_with_its_earlier_heads(self):
        size = int((self.audited / "tiles/checkpoint").read_text().splitlines()[1])
        self.assertEqual(size, len(self.federation.records()))
        cache = self.federation.folder / "go-cache"
        said = self.accepts("/usr/bin/go", "run", INTEROP / "verify_tlog.go", INTEROP / "head.go", self.audited, env={**GO, "GOCACHE": str(cache)})
        self.assertIn(f"{size} entries and {len(self.heads)} earlier heads verified", said)
        self.assertGreater(int(re.search(r"(\d+) tampered logs refused", said).group(1)), 0)

    def test_openssl_verifies_the_head(self):
        self.accepts(INTEROP / "verify_head.sh", self.audited)


if __name__ == "__main__":
    unittest.main(verbosity=2)
