#!/usr/bin/python3
"""Bad input of every kind: a clear error, the right exit code, no crash, nothing half-written, and the process serves on."""

import base64
import datetime
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

from federation import (BINARY, ROOT, FederationTest, Process, check_ledger, free_port, generator, read_token, say,
                        wait_for, write_token)

GOOD, REFUSED, USAGE, CANNOT_DECIDE, MISBEHAVIOUR, UNAVAILABLE = range(6)
CRASH_WORDS = re.compile(r"terminate called|CHECK failed|Segmentation|Sanitizer|Aborted", re.IGNORECASE)
NOBODY = 65534


def carnet(*arguments, cwd=None, prefix=(), env=None, seconds=60):
    return subprocess.run([*prefix, str(BINARY), *map(str, arguments)], capture_output=True, text=True, cwd=cwd,
                          stdin=subprocess.DEVNULL, timeout=seconds, env={**os.environ, **(env or {})})


class BadInputTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="carnet-bad-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def check(self, done, code, *texts):
        """Exit code and text of a refused command: every text is in what it says, and it says `carnet:` itself."""
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, code, said)
        self.assertNotRegex(said, CRASH_WORDS)
        for text in texts:
            self.assertIn(text, said)
        return said


class Files(BadInputTest):
    """Files that are not as they should be; nothing runs."""

    def setUp(self):
        super().setUp()
        shutil.copytree(ROOT / "examples/digits/policies", self.folder / "policies")
        self.federation = (ROOT / "examples/digits/federation.yaml").read_text()
        self.job = (ROOT / "examples/digits/job.yaml").read_text()

    def init(self, text):
        (self.folder / "federation.yaml").write_text(text)
        before = sorted(self.folder.rglob("*"))
        done = carnet("init", "-f", "federation.yaml", "--state", "home", cwd=self.folder)
        if done.returncode != GOOD:
            self.assertEqual(sorted(self.folder.rglob("*")), before, "something was half-written")
        return done

    def test_federation_files(self):
        good = self.federation
        cases = {
            "an unknown key": (good + "colour: blue\n", ("federation.yaml:", "'colour'")),
            "a repeated key": (good + "policies: policies\n", ("federation.yaml:", "'policies' is repeated")),
            "a camelCase key": (good.replace("trust_domain:", "trustDomain:"), ("federation.yaml:5:1", "trust_domain")),
            "no YAML": ("federation: [\n", ("federation.yaml:",)),
            "a tab": (good.replace("  gaul:", "\tgaul:"), ("federation.yaml:",)),
            "a number that is none": (good.replace("rows: 360", "rows: many", 1), ("federation.yaml:27", "'rows'")),
            "money without a currency": (good.replace("2.40 USD", "2.40"), ("federation.yaml:",)),
            "a country that is none": (good.replace("jurisdictions: [SG]", "jurisdictions: [XX]"), ("regions.sg", "XX")),
            "a supplier that is not there": (good.replace("supplier: lion", "supplier: tiger"), ("regions.sg.supplier",)),
            "a region that is not there": (good.replace("stored_in: sg", "stored_in: mars"), ("shards.sg.stored_in",)),
            "a slot named like a person": (good.replace("sg-1:", "Sue Green:"), ("worker name",)),
            "an alias": (good.replace("home: {", "home: &home {") + "other: *home\n", ("federation.yaml:",)),
            "no text at all": ("", ("federation.yaml",)),
            "bytes that are no UTF-8": (good.replace("acme", "ac\udcff"), ("federation.yaml",)),
        }
        for name, (text, said) in cases.items():
            with self.subTest(name):
                if "\udcff" in text:
                    (self.folder / "federation.yaml").write_bytes(text.encode(errors="surrogateescape"))
                    done = carnet("init", "-f", "federation.yaml", "--state", "home", cwd=self.folder)
                else:
                    done = self.init(text)
                self.check(done, USAGE, *said)
                self.assertFalse((self.folder / "home").exists())

    def test_norway_is_norway(self):
        done = self.init(self.federation.replace("jurisdiction: DE", "jurisdiction: NO"))
        self.assertEqual(done.returncode, GOOD, done.stderr)

    def test_a_state_folder_that_is_there(self):
        self.assertEqual(self.init(self.federation).returncode, GOOD)
        before = {path: path.read_bytes() for path in (self.folder / "home").rglob("*") if path.is_file()}
        done = carnet("init", "-f", "federation.yaml", "--state", "home", cwd=self.folder)
        self.assertNotEqual(done.returncode, GOOD)
        self.check(done, done.returncode, "home")
        self.assertEqual({path: path.read_bytes() for path in (self.folder / "home").rglob("*") if path.is_file()}, before)

    def test_policy_files(self):
        house = (self.folder / "policies/house.yaml").read_text()
        cases = {
            "an unknown fact": (house.replace("data.personal: {is: no}", "data.shoe_size: {is: no}"), ("house.yaml:", "data.shoe_size")),
            "an unknown effect": (house.replace("effect: deny", "effect: maybe"), ("house.yaml:", "maybe")),
            "an operator that the fact has not": (house.replace("{in: [claimed]}", "{at_least: 3}"), ("house.yaml:",)),
            "a rule twice": (house.replace("id: non-personal", "id: operations"), ("house.yaml:", "operations")),
        }
        for name, (text, said) in cases.items():
            with self.subTest(name):
                self.assertNotEqual(text, house)
                (self.folder / "policies/house.yaml").write_text(text)
                self.check(carnet("policy", "check", "policies", cwd=self.folder), USAGE, *said)
                self.check(self.init(self.federation), USAGE, "house.yaml")
                self.assertFalse((self.folder / "home").exists())

    def test_a_list_of_places_without_a_source(self):
        groups = self.folder / "policies/groups.yaml"
        text = groups.read_text()
        changed = re.sub(r"(?m)^    source: 27 member states.*\n", "", text)
        self.assertNotEqual(changed, text)
        groups.write_text(changed)
        done = carnet("policy", "check", "policies", cwd=self.folder)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("group eea has no source, so the bundle cannot be proposed", done.stdout)
        done = self.init(self.federation)
        self.assertNotEqual(done.returncode, GOOD)
        self.assertIn("group eea has no source", done.stderr)
        self.assertFalse((self.folder / "home").exists())

    def test_job_files(self):
        cases = {
            "an unknown key": (self.job + "colour: blue\n", ("job.yaml:", "'colour'")),
            "no rounds": (re.sub("count: [0-9]+", "count: 0", self.job), ("rounds.count",)),
            "a cohort upside down": (self.job.replace("min: 2, target: 4", "min: 4, target: 2"), ("rounds.cohort",)),
            "a closing number out of bounds": (self.job.replace("when: all", "when: 9"), ("rounds.close",)),
            "a clip that is none": (self.job.replace("clip: 100", "clip: -1"), ("delta.clip",)),
            "a time without a unit": (self.job.replace("deadline: 2m", "deadline: 2"), ("job.yaml:",)),
            "secure aggregation": (self.job.replace("mode: trusted", "mode: secagg"), ("not in this version",)),
            "differential privacy": (self.job.replace("{mode: trusted}", "{mode: trusted, differential_privacy: {epsilon: 8, delta: 1e-6}}"),
                                     ("not in this version",)),
            "a way to combine that is none": (self.job.replace("combine: mean", "combine: median"), ("strategy.combine",)),
        }
        for name, (text, said) in cases.items():
            with self.subTest(name):
                self.assertNotEqual(text, self.job)
                (self.folder / "job.yaml").write_text(text)
                self.check(carnet("config", "check", "job.yaml", cwd=self.folder), USAGE, *said)

    def test_command_lines(self):
        self.check(carnet("frobnicate"), USAGE, "frobnicate")
        self.check(carnet("job", "frobnicate"), USAGE, "frobnicate")
        self.check(carnet(), USAGE, "--help")
        self.check(carnet("job", "submit"), USAGE, "file is required")
        self.check(carnet("job", "list", "--colour"), USAGE, "--colour")
        self.check(carnet("job", "list", cwd=self.folder, env={"CARNET_CONTEXT": ""}), USAGE, "--state")
        self.check(carnet("job", "list", "--state", "nowhere", cwd=self.folder), CANNOT_DECIDE, "nowhere")
        self.check(carnet("coordinator", "run", "--state", "nowhere", cwd=self.folder), CANNOT_DECIDE, "nowhere", "carnet init")
        self.check(carnet("worker", "run", "--state", "w", cwd=self.folder), USAGE, "--join")


class Disks(BadInputTest):
    """Disks that are full, and folders that cannot be written."""

    def setUp(self):
        super().setUp()
        shutil.copytree(ROOT / "examples/digits/policies", self.folder / "policies")
        self.small = self.folder / "small"
        self.small.mkdir()
        self.ports = {}

    def mount(self, size):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.small], capture_output=True, text=True)
        if done.returncode != 0:
            self.skipTest(f"a small tmpfs needs mount(2): {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", self.small])

    def write_federation(self):
        path = self.folder / "federation.yaml"
        text = (ROOT / "examples/digits/federation.yaml").read_text()
        path.write_text(text + f'listen: {{grpc: "127.0.0.1:{free_port()}", https: "127.0.0.1:{free_port()}"}}\n')
        return path

    def test_init_on_a_full_disk_leaves_nothing(self):
        self.mount("64k")
        done = carnet("init", "-f", self.write_federation(), "--state", self.small / "home", "--join-dir", self.folder / "join")
        said = self.check(done, UNAVAILABLE, "no space left")
        say(f"init: {said.strip()}")
        self.assertEqual(list(self.small.iterdir()), [])
        self.assertFalse((self.folder / "join").exists() and list((self.folder / "join").iterdir()))

    def test_a_coordinator_whose_disk_fills_stops_and_goes_on_when_there_is_room(self):
        self.mount("32m")
        home = self.small / "home"
        carnet("init", "-f", self.write_federation(), "--state", home, "--join-dir", self.folder / "join").check_returncode()
        log = self.folder / "coordinator.log"
        coordinator = Process([BINARY, "coordinator", "run", "--state", home], log)
        self.addCleanup(lambda: coordinator.alive and coordinator.kill())
        wait_for(lambda: "Coordinator ready" in log.read_text(), "the coordinator")
        self.check(carnet("worker", "invite", "sg-2", "--region", "sg", "--state", home), GOOD)
        ballast = self.small / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass
        invited = None
        for number in range(3, 200):  # the write-ahead log has some pages left
            invited = carnet("worker", "invite", f"sg-{number}", "--region", "sg", "--state", home)
            if invited.returncode != GOOD:
                break
        say(f"invite on a full disk: {invited.stderr.strip()}")
        self.check(invited, UNAVAILABLE)
        self.assertEqual(coordinator.wait(30), UNAVAILABLE, log.read_text())
        self.assertNotRegex(log.read_text(), CRASH_WORDS)
        self.assertIn("no space left", log.read_text())
        ballast.unlink()
        check_ledger(home, self.folder / "audit")
        coordinator = Process([BINARY, "coordinator", "run", "--state", home], log)
        self.addCleanup(lambda: coordinator.alive and coordinator.kill())
        wait_for(lambda: log.read_text().count("Coordinator ready") == 2, "the coordinator to be back")
        self.assertEqual(carnet("worker", "invite", "sg-999", "--region", "sg", "--state", home).returncode, GOOD)
        self.assertEqual(coordinator.stop(), GOOD)

    def test_a_read_only_state_folder_as_an_unprivileged_user(self):
        if os.geteuid() != 0 or shutil.which("setpriv") is None:
            self.skipTest("needs root and setpriv to become nobody")
        home = self.folder / "home"
        carnet("init", "-f", self.write_federation(), "--state", home).check_returncode()
        binary = self.folder / "carnet"  # where nobody may run it
        shutil.copy(BINARY, binary)
        binary.chmod(0o755)
        self.folder.chmod(0o755)

        def as_nobody(*arguments):
            return subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", str(binary),
                                   *map(str, arguments)], capture_output=True, text=True, cwd="/", timeout=60)

        def files():
            return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}

        before = files()
        # Another user's folder, which nobody may not even look into.
        done = as_nobody("coordinator", "run", "--state", home)
        self.assertNotIn(done.returncode, (GOOD, MISBEHAVIOUR))
        self.check(done, done.returncode, "ermission", str(home))
        # nobody's own folder, without leave to write.
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
            path.chmod(0o500 if path.is_dir() else 0o400)
        done = as_nobody("coordinator", "run", "--state", home)
        say(f"read-only: {done.stderr.strip()}")
        self.assertNotIn(done.returncode, (GOOD, MISBEHAVIOUR))
        self.check(done, done.returncode, str(home))
        done = as_nobody("worker", "run", "--state", home / "worker", "--join", self.folder / "join/sg-1.token")
        self.assertNotIn(done.returncode, (GOOD, MISBEHAVIOUR))
        self.check(done, done.returncode, "ermission")
        done = as_nobody("init", "-f", self.folder / "federation.yaml", "--state", home / "inner")
        self.assertNotIn(done.returncode, (GOOD, MISBEHAVIOUR))
        self.check(done, done.returncode, "ermission")
        self.assertEqual(files(), before)


class Peers(FederationTest):
    """What comes over the network."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rng = generator("bad_input_test")
        cls.federation.start_coordinator()

    def tearDown(self):
        # Whatever came: it lives, answers, and did not crash.
        self.assertTrue(self.federation.coordinator.alive)
        self.federation.run("job", "list", "--state", self.federation.home)
        self.assertNotRegex(self.federation.coordinator.text(), CRASH_WORDS)

    def size(self):
        return len(self.federation.records())

    def run_worker(self, slot, token, state, seconds=60):
        """A worker that is expected to end by itself."""
        federation = self.federation
        site = slot.rsplit("-", 1)[0]
        log = federation.folder / f"{state}.log"
        log.unlink(missing_ok=True)
        worker = Process([BINARY, "worker", "run", "--join", token, "--state", federation.folder / state, "--data",
                          f"digits/{site}={federation.folder}/data/{site}/train.csv"], log)
        self.addCleanup(lambda: worker.alive and worker.kill())
        try:
            code = worker.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"it runs on: {worker.text()}")
        self.assertNotRegex(worker.text(), CRASH_WORDS)
        return code, worker.text()

    def test_a_token_used_twice(self):
        federation = self.federation
        federation.start_worker("fr-1")
        federation.wait_live(("fr-1",))
        size = self.size()
        code, said = self.run_worker("fr-1", federation.token("fr-1"), "fr-1-again")
        say(f"a token used twice: exit {code}: {said.strip().splitlines()[-1]}")
        self.assertIn(code, (REFUSED, USAGE))
        self.assertIn("token", said)
        self.assertEqual(self.size(), size)
        # Who used it first goes on, and may come again.
        federation.workers["fr-1"].stop()
        federation.start_worker("fr-1")
        federation.wait_live(("fr-1",))

    def test_an_expired_token(self):
        federation = self.federation
        token = federation.folder / "expired.token"
        write_token(token, {**read_token(federation.token("sg-1")), "expires": "2026-01-01T00:00:00Z"})
        code, said = self.run_worker("sg-1", token, "sg-1-expired")
        self.assertIn(code, (REFUSED, USAGE))
        self.assertIn("expired", said)
        self.assertIn("carnet worker invite", said)

    def test_a_token_of_another_secret(self):
        federation = self.federation
        token = federation.folder / "forged.token"
        secret = base64.urlsafe_b64encode(self.rng.randbytes(16)).decode().rstrip("=")
        write_token(token, {**read_token(federation.token("sg-1")), "secret": secret})
        size = self.size()
        code, said = self.run_worker("sg-1", token, "sg-1-forged")
        say(f"a forged token: exit {code}: {said.strip().splitlines()[-1]}")
        self.assertIn(code, (REFUSED, USAGE, CANNOT_DECIDE))
        self.assertIn("token", said)
        self.assertEqual(self.size(), size)

    def test_a_token_that_is_damaged(self):
        federation = self.federation
        token = federation.folder / "damaged.token"
        good = federation.token("sg-1").read_text().strip()
        for text in (good[:-4], good + "AAAA", "", "hello", good.replace("ey", "ez", 1)):
            with self.subTest(text[:8]):
                token.write_text(text)
                code, said = self.run_worker("sg-1", token, "sg-1-damaged")
                self.assertEqual(code, USAGE, said)
                self.assertIn("token", said)

    def test_a_coordinator_of_another_authority(self):
        """A worker whose token names another CA key does not talk to this coordinator."""
        federation = self.federation
        token = federation.folder / "other-ca.token"
        write_token(token, {**read_token(federation.token("sg-1")), "ca_spki_sha256": "00" * 32})
        code, said = self.run_worker("sg-1", token, "sg-1-other-ca")
        say(f"another CA: exit {code}: {said.strip().splitlines()[-1]}")
        self.assertEqual(code, REFUSED, said)

    def test_a_revoked_worker(self):
        federation = self.federation
        worker = federation.start_worker("br-1")
        federation.wait_live(("br-1",))
        federation.run("worker", "revoke", "br-1", "--state", federation.home)
        code = worker.wait(60)
        say(f"revoked: exit {code}: {worker.text().strip().splitlines()[-1]}")
        self.assertEqual(code, REFUSED, worker.text())
        self.assertIn("new invitation", worker.text())
        # Nor may it come again, with its keys and its certificate.
        size = self.size()
        worker = federation.start_worker("br-1")
        self.assertEqual(worker.wait(60), REFUSED, worker.text())
        self.assertEqual(self.size(), size)

    # ---- certificates ----

    def make_certificate(self, name, ca_certificate, ca_key, start, end):
        """A client certificate with the operator's names, by that authority and for that time: (certificate, key)."""
        folder = self.federation.folder / name
        folder.mkdir()
        operator = self.federation.home / "operator/user.pem"
        uri = subprocess.run(["openssl", "x509", "-in", operator, "-noout", "-ext", "subjectAltName"], capture_output=True,
                             text=True, check=True).stdout.split("URI:")[1].strip()
        (folder / "ca.conf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n"
            "unique_subject=no\nx509_extensions=e\n[p]\nCN=optional\n"
            f"[e]\nsubjectAltName=critical,URI:{uri}\nextendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\n"
            "basicConstraints=critical,CA:FALSE\n")
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")

        def openssl(*arguments):
            subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
        openssl("req", "-new", "-key", "key.pem", "-subj", "/CN=test", "-out", "request.pem")
        openssl("ca", "-batch", "-config", "ca.conf", "-in", "request.pem", "-cert", ca_certificate, "-keyfile", ca_key,
                "-startdate", start.strftime("%Y%m%d%H%M%SZ"), "-enddate", end.strftime("%Y%m%d%H%M%SZ"), "-out",
                "certificate.pem", "-notext")
        return folder / "certificate.pem", folder / "key.pem"

    def own_ca(self):
        """The federation's own CA, whose key is in a key file of two lines: (certificate, key as PEM)."""
        home = self.federation.home
        secret = (home / "keys/ca.key").read_text().splitlines()
        key = self.federation.folder / "ca-key.pem"
        key.write_bytes(base64.b64decode(secret[1]))
        return home / "ca.pem", key

    def other_ca(self):
        folder = self.federation.folder / "other-ca"
        folder.mkdir(exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                        "key.pem", "-out", "ca.pem", "-days", "10", "-subj", "/CN=digits"], cwd=folder, check=True,
                       capture_output=True)
        return folder / "ca.pem", folder / "key.pem"

    def talk(self, certificate, key):
        """Mutual TLS 1.3 with that certificate on the gRPC port: how it ends. HTTP/2 begins with SETTINGS of the server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.federation.home / "ca.pem")
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2"])
        try:
            with socket.create_connection(("127.0.0.1", self.federation.grpc), timeout=20) as plain:
                with context.wrap_socket(plain, server_hostname="coordinator.test.acme.example") as tls:
                    tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
                    return "served" if tls.recv(9) else "closed"
        except (ssl.SSLError, ConnectionError) as error:
            return str(error)

    def test_certificates(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        good = self.make_certificate("good", *self.own_ca(), now - day, now + day)
        self.assertEqual(self.talk(*good), "served")  # so that what follows fails for its own reason
        answers = {
            "another CA": self.talk(*self.make_certificate("foreign", *self.other_ca(), now - day, now + day)),
            "expired": self.talk(*self.make_certificate("late", *self.own_ca(), now - 2 * day, now - day)),
            "not yet valid": self.talk(*self.make_certificate("early", *self.own_ca(), now + day, now + 2 * day)),
        }
        say(f"certificates: {answers}")
        for name, answer in answers.items():
            with self.subTest(name):
                self.assertNotEqual(answer, "served")

    def test_a_person_with_an_expired_certificate_or_of_another_federation(self):
        federation = self.federation
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        for name, authority, start, end, code, text in (
                ("person-late", self.own_ca(), now - 2 * day, now - day, USAGE, "expired"),
                ("person-foreign", self.other_ca(), now - day, now + day, UNAVAILABLE, "")):
            with self.subTest(name):
                certificate, key = self.make_certificate(name, *authority, start, end)
                operator = federation.folder / f"{name}-operator"
                shutil.copytree(federation.home / "operator", operator)
                shutil.copy(certificate, operator / "user.pem")
                encoded = base64.b64encode(subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", key],
                                                          capture_output=True, check=True).stdout).decode()
                first = (operator / "keys/tls.key").read_text().splitlines()[0]
                (operator / "keys/tls.key").write_text(f"{first}\n{encoded}\n")
                done = federation.call("job", "list", env={"CARNET_CONTEXT": str(operator / "context.yaml")})
                say(f"{name}: exit {done.returncode}: {done.stderr.strip()}")
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(text, done.stderr)

    # ---- ports ----

    def test_tls_1_2_is_refused_on_both_ports(self):
        home = self.federation.home
        keys = (home / "operator/keys/tls.key").read_text().splitlines()
        key = self.federation.folder / "operator-key.pem"
        key.write_bytes(base64.b64decode(keys[1]))
        for port in (self.federation.grpc, self.federation.https):
            def connect(version):
                return subprocess.run(
                    ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-CAfile", home / "ca.pem", "-cert",
                     home / "operator/user.pem", "-key", key, "-alpn", "h2", "-brief"],
                    input="", capture_output=True, text=True, errors="replace", timeout=30)
            with self.subTest(port=port):
                self.assertIn("TLSv1.3", connect("-tls1_3").stderr)
                old = connect("-tls1_2")
                self.assertNotEqual(old.returncode, 0)
                self.assertNotIn("CONNECTION ESTABLISHED", old.stderr)
                self.assertRegex(old.stderr, "alert|unexpected eof")  # gRPC hangs up without an alert

    def test_garbage_on_both_ports(self):
        size = self.size()
        for port in (self.federation.grpc, self.federation.https):
            for _ in range(50):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as garbage:
                    try:
                        garbage.sendall(self.rng.choice([b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x05"]) +
                                        self.rng.randbytes(self.rng.randrange(4096)))
                    except OSError:
                        pass  # it has hung up already
        self.assertEqual(self.size(), size)

    def test_garbage_inside_tls(self):
        """After a good handshake: bytes that are no HTTP, on both ports."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.federation.home / "ca.pem")
        key = self.federation.folder / "operator-tls.pem"
        key.write_bytes(base64.b64decode((self.federation.home / "operator/keys/tls.key").read_text().splitlines()[1]))
        context.load_cert_chain(self.federation.home / "operator/user.pem", key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        bodies = [b"POST /carnet.v1.Enrolment/Enroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" %
                  (len(body), body) for body in (b"{}", b"[", b"{" * 50_000, b'{"requestId":"AAAA","requestId":"AAAA"}', b"\xff\xfe")]
        for port in (self.federation.grpc, self.federation.https):
            for sent in [*bodies, self.rng.randbytes(2000), b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"]:
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
                        with context.wrap_socket(plain, server_hostname="coordinator.test.acme.example") as tls:
                            tls.settimeout(5)
                            tls.sendall(sent)
                            answer = tls.recv(4096)
                            if port == self.federation.https and answer:
                                self.assertRegex(answer, rb"^HTTP/1\.1 4\d\d ")
                except (OSError, ssl.SSLError):
                    pass

    # ---- commands that the coordinator refuses ----

    def test_jobs_that_the_coordinator_refuses(self):
        federation = self.federation
        size = self.size()

        def submit(text):
            (federation.folder / "bad-job.yaml").write_text(text)
            return federation.call("job", "submit", federation.folder / "bad-job.yaml", "--state", federation.home)
        good = federation.write_job().read_text()
        for name, text, code, said in (
                ("a dataset that is not there", good.replace("digits/*", "letters/*"), None, "letters"),
                ("a model that is not there", good.replace("base.safetensors", "nothing.safetensors"), CANNOT_DECIDE, "nothing.safetensors"),
                ("a model that is none", good.replace("base.safetensors", "job.yaml"), None, "")):
            with self.subTest(name):
                done = submit(text)
                say(f"{name}: exit {done.returncode}: {done.stderr.strip()}")
                self.assertNotIn(done.returncode, (GOOD, MISBEHAVIOUR))
                if code is not None:
                    self.assertEqual(done.returncode, code)
                self.assertIn(said, done.stderr)
                self.assertEqual(self.size(), size)

    def test_ids_that_are_not_there(self):
        federation = self.federation
        size = self.size()
        for arguments in (("job", "status", "j-aaaaaaaaaaaaaaaa"), ("job", "stop", "j-aaaaaaaaaaaaaaaa"), ("job", "status", "../etc"),
                          ("worker", "revoke", "nobody-1"), ("evidence", "withdraw", "e-aaaaaaaaaaaaaaaa"),
                          ("data", "stage", "digits/nowhere", "--to", "fr-1"), ("data", "stage", "digits", "--to", "fr-1")):
            with self.subTest(arguments):
                done = federation.call(*arguments, "--state", federation.home)
                self.assertIn(done.returncode, (USAGE, CANNOT_DECIDE), done.stdout + done.stderr)
                self.assertTrue(done.stderr.startswith("carnet: "), done.stderr)
        self.assertEqual(self.size(), size)

    def test_a_second_coordinator_on_the_same_state(self):
        done = carnet("coordinator", "run", "--state", self.federation.home, "--listen", "127.0.0.1:0", "--listen-https", "127.0.0.1:0")
        self.assertEqual(done.returncode, USAGE, done.stderr)
        say(f"a second coordinator: {done.stderr.strip()}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
