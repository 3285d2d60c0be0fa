#!/usr/bin/python3
"""The log over HTTPS, from a running coordinator: who may read what, the headers of C2SP tlog-tiles, and what is read so
verified by Go's checksum database and by `carnet ledger verify URL`."""

import base64
import gzip
import http.client
import os
import re
import socket
import ssl
import subprocess
import unittest

from federation import ROOT, FederationTest, free_port, say

INTEROP = ROOT / "tests/interop"
SERVER_NAME = "coordinator.test.acme.example"
TIMEOUT_SECONDS = 30


class ReadPath(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_coordinator()
        cls.first_head = cls.folder / "first-head"
        cls.first_head.write_text(federation.run("ledger", "show", "--head", "--state", federation.home))
        federation.start_worker("fr-1")
        federation.wait_live(["fr-1"])
        federation.run("ledger", "trust", "--state", federation.home, "--out", cls.folder / "trust")
        cls.url = f"https://127.0.0.1:{federation.https}"
        operator = federation.home / "operator"
        cls.operator = cls.identity("operator", (operator / "user.pem").read_text(), operator / "keys/tls.key")
        # EnrollResponse: the worker's certificate comes before the authority's.
        enrolled = (federation.folder / "fr-1/enrolment.pb").read_bytes().decode(errors="replace")
        pem = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", enrolled, re.DOTALL).group(0)
        cls.worker = cls.identity("worker", pem + "\n", federation.folder / "fr-1/keys/tls.key")

    @classmethod
    def identity(cls, name, certificate, key_file):
        """Certificate and key as files that OpenSSL reads. A key file holds PEM in base64, after a line with its kind."""
        kind, key = key_file.read_text().splitlines()
        assert kind == "carnet p256 v1"
        path = cls.folder / f"{name}.pem"
        path.write_bytes(certificate.encode() + base64.b64decode(key))
        return path

    def get(self, path, identity=None, **headers):
        """(status, headers, body) of one request, by Python's own TLS and HTTP."""
        context = ssl.create_default_context(cafile=self.federation.home / "ca.pem")
        if identity:
            context.load_cert_chain(identity)
        with socket.create_connection(("127.0.0.1", self.federation.https), TIMEOUT_SECONDS) as plain:
            with context.wrap_socket(plain, server_hostname=SERVER_NAME) as tls:
                connection = http.client.HTTPConnection("127.0.0.1")
                connection.sock = tls
                connection.request("GET", path, headers={"Accept-Encoding": "identity", **headers})
                response = connection.getresponse()
                return response.status, response.headers, response.read()

    def verify(self, url, *options):
        done = self.federation.call("ledger", "verify", url, "--trust", self.folder / "trust/trust.policy", *options)
        return done.returncode, done.stdout + done.stderr

    def test_1_by_default_only_enrolled_peers_read(self):
        for path in ("/checkpoint", "/tile/0/000.p/1", "/tile/entries/000.p/1"):
            self.assertEqual(self.get(path)[0], 401, path)
            self.assertEqual(self.get(path, self.operator)[0], 200, path)
        self.assertEqual(self.get("/checkpoint", self.worker)[0], 200)
        self.assertEqual(self.get("/tile/0/000.p/1", self.worker)[0], 200)
        self.assertEqual(self.get("/tile/entries/000.p/1", self.worker)[0], 403)
        # Statements are a flow of their own: nobody reads them here.
        for identity in (None, self.worker, self.operator):
            self.assertEqual(self.get("/statements/000.p/1", identity)[0], 404)
        _, headers, _ = self.get("/tile/0/000.p/1", self.operator)
        self.assertIn("private", headers["Cache-Control"])

    def test_2_the_operator_verifies_by_url(self):
        home = self.federation.home
        code, said = self.verify(self.url, "--state", home, "--since", self.first_head)
        self.assertEqual(code, 0, said)
        self.assertIn("1 earlier heads", said)
        # Without a login there is nothing to decide on; by another CA's word it is another server; nobody there is no verdict.
        code, said = self.verify(self.url, "--ca", home / "ca.pem", "--server-name", SERVER_NAME)
        self.assertEqual(code, 3, said)
        code, said = self.verify(self.url, "--ca", home / "ca.pem")
        self.assertEqual(code, 1, said)
        code, said = self.verify(f"https://127.0.0.1:{free_port()}", "--state", home)
        self.assertEqual(code, 5, said)
        code, said = self.verify(self.url)
        self.assertEqual(code, 2, said)

    def test_3_a_public_log_is_read_and_verified_by_anybody(self):
        federation = self.federation
        federation.coordinator.stop()
        federation.configure("heartbeat: 1s\ntask_poll_max: 1s\nstart_grace: 3s\nlog: {public: entries}\n")
        federation.start_coordinator()
        exported = self.folder / "exported"
        federation.run("ledger", "export", "--state", federation.home, "--tiles", exported)
        mirror = self.folder / "mirror/tiles"
        for file in sorted(path for path in exported.rglob("*") if path.is_file()):
            name = file.relative_to(exported)
            status, headers, body = self.get(f"/{name}")
            self.assertEqual(status, 200, name)
            if name.name == "checkpoint":
                self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
                self.assertEqual(headers["Cache-Control"], "no-cache")
            else:
                self.assertEqual(headers["Content-Type"], "application/octet-stream")
                self.assertIn("public, max-age=", headers["Cache-Control"])
                self.assertIn("immutable", headers["Cache-Control"])
            self.assertEqual(body, file.read_bytes(), name)
            if "entries" in name.parts:
                _, headers, packed = self.get(f"/{name}", **{"Accept-Encoding": "gzip"})
                self.assertEqual(headers["Content-Encoding"], "gzip")
                self.assertEqual(gzip.decompress(packed), body)
                self.assertLess(len(packed), len(body))
            (mirror / name).parent.mkdir(parents=True, exist_ok=True)
            (mirror / name).write_bytes(body)
        self.assertEqual(self.get("/tile/5/000.p/1")[0], 404)
        self.check_mirror(mirror)
        code, said = self.verify(self.url, "--ca", federation.home / "ca.pem", "--server-name", SERVER_NAME)
        self.assertEqual(code, 0, said)

    def check_mirror(self, mirror):
        """What was read over HTTPS, by Go's checksum database, with the first head of this run."""
        vkey = self.federation.run("ledger", "show", "--vkey", "--state", self.federation.home)
        (mirror.parent / "log.vkey").write_text(vkey.strip())
        (mirror.parent / "heads").mkdir()
        (mirror.parent / "heads/0").write_text(self.first_head.read_text())
        done = subprocess.run(
            ["/usr/bin/go", "run", INTEROP / "verify_tlog.go", INTEROP / "head.go", mirror.parent], capture_output=True, text=True, timeout=300,
            env={**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
                 "GOCACHE": str(self.folder / "go-cache")})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 earlier heads verified", done.stdout)
        say(done.stdout.strip())


if __name__ == "__main__":
    unittest.main(verbosity=2)
