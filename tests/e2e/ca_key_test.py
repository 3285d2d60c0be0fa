#!/usr/bin/python3
"""The certificate authority is rotated while a job trains, and the coordinator is killed around the record that says so.

Workers follow and renew by themselves, people with one command; tokens from before and after work; and when the overlap has
ended, which the processes are shown by a later clock, what the old authority issued is refused.
"""

import json
import shutil
import subprocess
import unittest

from federation import SLOTS, FederationTest, check_ledger, preload, read_token, say, stop_at_record, wait_for

LATER = 26 * 3600  # past an overlap of one day


def at_later(seconds=LATER):
    return preload("CARNET_CLOCK_SHIFT_LIBRARY", CARNET_CLOCK_SHIFT=str(seconds))


def openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL).stdout


def key_id(path, extension):
    """The subject's or the issuer's key id of the first certificate in a file."""
    text = openssl("x509", "-in", path, "-noout", "-ext", extension)
    return text.splitlines()[1].strip().removeprefix("keyid:")


def certificates(path):
    return path.read_text().count("BEGIN CERTIFICATE")


class CaKey(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.federation.start_all()

    def rotations(self):
        return [r["predicate"] for r in self.federation.records_of("key-rotated")]

    def renewals(self, slot):
        return self.federation.workers[slot].text().count("certificate-renewed")

    def as_person(self, name, *arguments, env=None):
        context = {"CARNET_CONTEXT": str(self.federation.folder / name / "context.yaml")}
        return self.federation.call(*arguments, env={**context, **(env or {})})

    def invite(self, name):
        federation = self.federation
        federation.json("user", "invite", "--roles", "member", "--out", federation.folder / f"{name}.token")
        return federation.folder / f"{name}.token"

    def enroll(self, name):
        federation = self.federation
        federation.run("user", "enroll", "--join", federation.folder / f"{name}.token", "--out", federation.folder / name)

    def test_1_a_person_renews_and_nobody_else_does(self):
        federation = self.federation
        self.invite("mia")
        self.enroll("mia")
        before = (federation.folder / "mia" / "user.pem").read_text()
        renewed = self.as_person("mia", "user", "renew", "--json")
        self.assertEqual(renewed.returncode, 0, renewed.stdout + renewed.stderr)
        self.assertEqual(len(json.loads(renewed.stdout)["authorities_sha256"]), 1)
        self.assertNotEqual((federation.folder / "mia" / "user.pem").read_text(), before)
        self.assertEqual(self.as_person("mia", "job", "list").returncode, 0)
        # The operator too, whose certificate `carnet init` made.
        said = federation.run("user", "renew", "--state", federation.home)
        self.assertIn("was renewed: until", said)
        # With another's signing key, or in another's name.
        self.invite("eve")
        self.enroll("eve")
        shutil.copytree(federation.folder / "mia", federation.folder / "thief")
        shutil.copy(federation.folder / "eve/keys/statement.key", federation.folder / "thief/keys/statement.key")
        stolen = self.as_person("thief", "user", "renew")
        self.assertEqual(stolen.returncode, 1, stolen.stdout + stolen.stderr)
        say(stolen.stderr)
        mia, eve = (read_context(federation.folder / name)["user_id"] for name in ("mia", "eve"))
        context = federation.folder / "thief" / "context.yaml"
        context.write_text(context.read_text().replace(mia, eve))
        self.assertEqual(self.as_person("thief", "user", "renew").returncode, 1)
        # In the last third of its life each command says so; expired, only this one helps, for 7 days.
        soon = self.as_person("mia", "job", "list", env=at_later(61 * 86400))
        self.assertIn("carnet user renew", soon.stderr)
        self.assertEqual(len(soon.stderr.splitlines()), 1, soon.stderr)
        over = self.as_person("mia", "job", "list", env=at_later(91 * 86400))
        self.assertEqual(over.returncode, 2, over.stdout + over.stderr)
        self.assertIn("carnet user renew", over.stderr)
        federation.run("user", "revoke", eve, "--state", federation.home)
        revoked = self.as_person("eve", "user", "renew")
        self.assertEqual(revoked.returncode, 1, revoked.stdout + revoked.stderr)
        self.assertIn("revoked", revoked.stderr)

    def test_2_a_kill_before_the_record_leaves_the_old_authority_alone(self):
        federation = self.federation
        files = federation.key_files()
        log = federation.folder / "stop-at.log"
        federation.restart(stop_at_record("key-rotated", "before", log))
        done = federation.call("key", "rotate", "ca", "--state", federation.home)
        wait_for(lambda: not federation.coordinator.alive, "the kill")
        self.assertEqual(done.returncode, 5, done.stdout + done.stderr)
        federation.start_coordinator()
        federation.wait_live(SLOTS)
        self.assertEqual(self.rotations(), [])
        self.assertEqual(federation.key_files(), files)
        self.assertEqual(certificates(federation.home / "ca.pem"), 1)

    def test_3_workers_follow_while_a_job_trains(self):
        federation = self.federation
        self.invite("ada")  # names the old authority
        federation.run("worker", "invite", "fr-2", "--region", "fr", "--out", federation.folder / "fr-2.token",
                       "--state", federation.home)
        federation.workers["br-1"].stop()  # away for the whole overlap
        shutil.copytree(federation.folder / "mia", federation.folder / "late")
        shutil.copy(federation.home / "ca.pem", federation.folder / "old-ca.pem")
        renewed = {slot: self.renewals(slot) for slot in SLOTS}
        files = federation.key_files()
        log = federation.folder / "stop-at-2.log"
        federation.coordinator.stop()
        federation.start_coordinator(stop_at_record("key-rotated", "after", log))
        here = [slot for slot in SLOTS if slot != "br-1"]
        federation.wait_live(here)
        job = federation.submit(federation.write_job(rounds=8, minimum=3, target=3))
        done = federation.call("key", "rotate", "ca", "--overlap-days", 1, "--state", federation.home)
        wait_for(lambda: not federation.coordinator.alive, "the kill")
        self.assertEqual(done.returncode, 5, done.stdout + done.stderr)
        federation.start_coordinator()
        rotated = self.rotations()
        self.assertEqual([r["kind"] for r in rotated], ["ca"])
        # Besides the keys of the round that is open.
        self.assertIn(rotated[0]["key_id"], federation.key_files() - files)
        self.assertIn("ca", federation.key_files())
        self.assertEqual(certificates(federation.home / "ca.pem"), 2)
        for slot in here:
            wait_for(lambda slot=slot: self.renewals(slot) > renewed[slot], f"{slot} to renew by the new authority")
        status = federation.wait_ended(job)
        self.assertEqual(status["state"], "completed", status)
        # Whoever knows the old authority alone still reaches this coordinator, whose certificate is the new one's.
        self.assertEqual(self.as_person("late", "job", "list").returncode, 0)
        presented = openssl("s_client", "-connect", f"127.0.0.1:{federation.https}", "-CAfile", federation.folder / "old-ca.pem",
                            "-verify_return_error", "-servername", "coordinator.test.acme.example")
        self.assertRegex(presented, "Verif(ication: OK|y return code: 0)")
        doctor = federation.call("doctor", "--state", federation.home)
        self.assertIn("two certificate authorities count until", doctor.stdout)
        again = federation.call("key", "rotate", "ca", "--state", federation.home)
        self.assertEqual(again.returncode, 2, again.stdout + again.stderr)
        say(again.stderr)

    def test_4_who_joins_or_renews_in_the_overlap_gets_the_new_authority(self):
        federation = self.federation
        new = key_id(federation.home / "ca.pem", "subjectKeyIdentifier")
        self.enroll("ada")  # by an invitation from before
        self.invite("bea")  # and one from now
        self.enroll("bea")
        for name in ("ada", "bea"):
            self.assertEqual(key_id(federation.folder / name / "user.pem", "authorityKeyIdentifier"), new)
            self.assertEqual(certificates(federation.folder / name / "ca.pem"), 2)
            self.assertEqual(self.as_person(name, "job", "list").returncode, 0)
        renewed = self.as_person("mia", "user", "renew")
        self.assertEqual(renewed.returncode, 0, renewed.stdout + renewed.stderr)
        self.assertEqual(key_id(federation.folder / "mia" / "user.pem", "authorityKeyIdentifier"), new)
        self.assertEqual(certificates(federation.folder / "mia" / "ca.pem"), 2)
        federation.run("user", "renew", "--state", federation.home)
        federation.run("worker", "invite", "fr-3", "--region", "fr", "--out", federation.folder / "fr-3.token",
                       "--state", federation.home)
        pins = {name: read_token(federation.folder / f"{name}.token")["ca_spki_sha256"] for name in ("fr-2", "fr-3")}
        self.assertNotEqual(pins["fr-2"], pins["fr-3"])
        for slot in pins:
            worker = federation.start_worker(slot, data={}, token=federation.folder / f"{slot}.token")
            wait_for(lambda worker=worker: "worker-ready" in worker.text() or not worker.alive, f"{slot} to be a member")
            self.assertTrue(worker.alive, worker.text()[-1000:])
            worker.stop()
        # A restart of both sides finds both authorities.
        self.federation.coordinator.stop()
        federation.start_coordinator()
        federation.workers["sg-1"].stop()
        federation.start_worker("sg-1")
        federation.wait_live([slot for slot in SLOTS if slot != "br-1"])

    def test_5_after_the_overlap_the_old_authority_is_refused(self):
        federation = self.federation
        here = [slot for slot in SLOTS if slot != "br-1"]
        for slot in here:
            federation.workers[slot].stop()
        federation.coordinator.stop()
        federation.start_coordinator(at_later())
        wait_for(lambda: [r for r in federation.records_of("key-destroyed") if "ca" in r["predicate"]["key_ids"]],
                 "the old key to be destroyed")
        self.assertNotIn("ca", federation.key_files())
        wait_for(lambda: certificates(federation.home / "ca.pem") == 1, "ca.pem to hold the new authority alone")
        late = self.as_person("late", "job", "list", env=at_later())
        self.assertEqual(late.returncode, 5, late.stdout + late.stderr)
        renewed = self.as_person("late", "user", "renew", env=at_later())
        self.assertEqual(renewed.returncode, 1, renewed.stdout + renewed.stderr)
        self.assertIn("new invitation", renewed.stderr)
        say(renewed.stderr)
        # The old certificate with the new authority's file: now it is the coordinator that refuses.
        shutil.copy(federation.home / "ca.pem", federation.folder / "late" / "ca.pem")
        refused = self.as_person("late", "job", "list", env=at_later())
        self.assertEqual(refused.returncode, 5, refused.stdout + refused.stderr)
        renewed = self.as_person("late", "user", "renew", env=at_later())
        self.assertEqual(renewed.returncode, 1, renewed.stdout + renewed.stderr)
        self.assertIn("by an authority that counts", renewed.stderr)
        self.assertEqual(self.as_person("mia", "job", "list", env=at_later()).returncode, 0)
        away = federation.start_worker("br-1", env=at_later())
        wait_for(lambda: "coordinator-not-known" in away.text() or not away.alive, "br-1 to say what is wrong")
        self.assertIn("new invitation", away.text())
        away.stop()
        for slot in here:
            federation.start_worker(slot, env=at_later())
        live = lambda: {row["slot"] for row in map(json.loads, self.as_person(
            "home/operator", "worker", "list", "--json", env=at_later()).stdout.splitlines()) if row["live"]}
        wait_for(lambda: set(here) <= live(), "the others to be live")
        accepted = self.as_person("home/operator", "coordinator", "accept-clock", env=at_later())
        self.assertEqual(accepted.returncode, 0, accepted.stdout + accepted.stderr)
        submitted = self.as_person("home/operator", "job", "submit", federation.write_job(rounds=2, minimum=3, target=3),
                                   "--json", env=at_later())
        self.assertEqual(submitted.returncode, 0, submitted.stdout + submitted.stderr)
        job = json.loads(submitted.stdout)["job_id"]
        wait_for(lambda: federation.records_of("job-completed", job), "the job to be completed")

    def test_6_the_ledger_is_good(self):
        federation = self.federation
        federation.coordinator.stop()
        check_ledger(federation.home, federation.folder / "audit")
        audit = federation.call("audit", "--state", federation.home, "--trust",
                                federation.folder / "audit/trust/trust.policy", env=at_later())
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)


def read_context(folder):
    lines = (folder / "context.yaml").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if not line.startswith("#"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
