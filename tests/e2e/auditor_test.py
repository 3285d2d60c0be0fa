#!/usr/bin/python3
"""An auditor's walk: the commands of docs/verifying.md as they stand there, without any network.

A federation trains a model; what an auditor gets of it is copied into a folder of its own. The blocks of shell after a line
`<!-- test: auditor-... -->` run in that folder under `unshare -n`, where there is not even a loopback device that is up.
"""

import json
import re
import shutil
import subprocess
import unittest

from federation import BINARY, ROOT, FederationTest, say

BLOCK = re.compile(r"<!-- test: (auditor-[a-z-]+) -->\n```sh\n(.*?)\n```", re.DOTALL)
EXPECTED_BLOCKS = ("auditor-model", "auditor-log", "auditor-questions")
WORKERS = ("fr-1", "sg-1", "ae-1", "br-1")


class Auditor(FederationTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        federation = cls.federation
        federation.start_all()
        cls.job, cls.status = federation.train(rounds=3)
        papers = federation.export(cls.job, "papers")
        federation.run("job", "export", cls.job, "--out", federation.folder / "small", "--compact", "--state", federation.home)
        # From other hands than the model.
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        cls.folder = federation.folder / "auditor"
        cls.folder.mkdir()
        for source, name in ((papers / "model.safetensors", "model.safetensors"), (papers / "model.carnet", "model.carnet"),
                             (federation.folder / "small/model.carnet", "compact.carnet"),
                             (federation.folder / "trust/trust.policy", "trust.policy")):
            shutil.copy(source, cls.folder / name)
        federation.run("ledger", "export", "--state", federation.home, "--tiles", cls.folder / "log", "--statements")
        (cls.folder / "bin").mkdir()
        (cls.folder / "bin/carnet").symlink_to(BINARY)

    def offline(self, script):
        done = subprocess.run(
            ["unshare", "--net", "--map-root-user", "bash", "-e", "-u", "-o", "pipefail", "-c",
             f'test "$(cat /proc/net/route | wc -l)" -le 1; PATH="{self.folder}/bin:$PATH"; {script}'],
            cwd=self.folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
        return done

    def ask(self, *arguments):
        done = self.offline(" ".join(["carnet", *map(str, arguments), "--json"]))
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def test_the_documented_walk_works_as_it_stands(self):
        blocks = dict(BLOCK.findall((ROOT / "docs/verifying.md").read_text()))
        self.assertEqual(set(blocks), set(EXPECTED_BLOCKS))
        for name in EXPECTED_BLOCKS:
            done = self.offline(blocks[name])
            say(f"== {name}\n{done.stdout}")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue((self.folder / "proofs/bundles.json").exists())

    def test_the_model_is_traced_to_shards_places_policies_and_privacy(self):
        code, (said,) = self.ask("manifest", "verify", "model.safetensors", "--manifest", "model.carnet", "--trust",
                                 "trust.policy")
        self.assertEqual((code, said["verdict"], said["form"]), (0, "good", "full"))
        self.assertEqual(said["what"]["model_sha256"], self.status["model_sha256"])
        self.assertEqual(said["what"]["rounds"], 3)
        # The release that the manifest was handed out under is in it.
        (release,) = self.federation.records_of("release", self.job)
        self.assertEqual([(r["index"], r["to"]) for r in said["releases"]],
                         [(release["index"], release["predicate"]["released_to"])])
        self.assertEqual(said["checks"][-1], {"check": "releases", "passed": True})
        ids = self.federation.worker_ids()
        places = {place["worker_id"]: place for place in said["where"]}
        self.assertEqual(set(places), {ids[slot] for slot in WORKERS})
        for slot in WORKERS:
            site = slot.split("-")[0]
            place = places[ids[slot]]
            self.assertEqual((place["region"], place["jurisdictions"], list(place["shards"])),
                             (site, [site.upper()], [f"digits/{site}"]))
        self.assertEqual([(p["first_round"], p["last_round"]) for p in said["policies"]], [(1, 3)])
        self.assertEqual(said["privacy"]["loss"], "none promised: no differential privacy")

    def test_the_compact_form_says_the_same_and_what_it_leaves_out(self):
        _, (full,) = self.ask("manifest", "show", "model.carnet", "--trust", "trust.policy")
        code, (said,) = self.ask("manifest", "verify", "model.safetensors", "--manifest", "compact.carnet", "--trust",
                                 "trust.policy")
        self.assertEqual((code, said["verdict"], said["form"], said["leaves"]), (0, "good", "compact", 12))
        self.assertEqual([(p["worker_id"], p["shards"], p["contributions"]) for p in said["where"]],
                         [(p["worker_id"], p["shards"], p["contributions"]) for p in full["where"]])
        self.assertEqual((said["releases"], len(said["releases"])), (full["releases"], 1))
        self.assertTrue(any(caveat.startswith("compact form: 12 contributions") for caveat in said["caveats"]))

    def test_a_changed_model_and_another_policy_are_refused(self):
        changed = self.folder / "changed.safetensors"
        model = bytearray((self.folder / "model.safetensors").read_bytes())
        model[-1] ^= 1
        changed.write_bytes(model)
        code, (said,) = self.ask("manifest", "verify", changed, "--manifest", "model.carnet", "--trust", "trust.policy")
        self.assertEqual((code, said["checks"][-1]["check"]), (1, "model file"))
        other = self.folder / "other.policy"
        policy = (self.folder / "trust.policy").read_text()
        other.write_text(re.sub("# genesis [0-9a-f]{4}", "# genesis 0000", policy))
        code, (said,) = self.ask("manifest", "verify", "model.safetensors", "--manifest", "model.carnet", "--trust", other)
        self.assertEqual((code, said["checks"][-1]["check"]), (1, "genesis"))

    def test_searches_name_every_record_and_say_what_was_searched(self):
        code, lines = self.ask("ledger", "search", "--log", "log", "--trust", "trust.policy", "--type", "contribution",
                               "--region", "sg")
        expected = [r["index"] for r in self.federation.records_of("contribution", self.job)
                    if r["predicate"]["region"] == "sg"]
        self.assertEqual((code, [line["index"] for line in lines[:-1]]), (0, expected))
        searched = lines[-1]["searched"]
        self.assertEqual((searched["complete"], searched["statements"]), (True, searched["size"]))

    def test_a_log_without_statements_cannot_be_searched(self):
        self.federation.run("ledger", "export", "--state", self.federation.home, "--tiles", self.folder / "bare")
        code, lines = self.ask("ledger", "search", "--log", "bare", "--trust", "trust.policy", "--region", "sg")
        self.assertEqual((code, lines[-1]["searched"]["statements"], len(lines)), (3, 0, 1))

    def test_lineage_questions_are_answered_with_the_records_that_show_it(self):
        base = ("--log", "log", "--trust", "trust.policy")
        code, lines = self.ask("ledger", "lineage", *base, "--released-with", "shard:digits/ae")
        self.assertEqual((code, lines[0]["job_id"], lines[0]["model_sha256"]), (0, self.job, self.status["model_sha256"]))
        ae = [r["index"] for r in self.federation.records_of("contribution", self.job) if r["predicate"]["region"] == "ae"]
        self.assertEqual(lines[0]["contributions"], ae)
        self.assertLessEqual({0, *ae, lines[0]["completed"]}, set(lines[0]["evidence"]))
        # Whom it went to: the release and the enrolment of the person are among the records that show it.
        (release,) = self.federation.records_of("release", self.job)
        (released,) = lines[0]["releases"]
        self.assertEqual((released["index"], released["to"], released["jurisdiction"], released["recipient"], released["revision"]),
                         (release["index"], release["predicate"]["released_to"], "DE", "acme", 1))
        person = [r["index"] for r in self.federation.records_of("user-enrolled")
                  if r["predicate"]["user_id"] == released["to"]]
        self.assertLessEqual({release["index"], *person}, set(lines[0]["evidence"]))
        _, lines = self.ask("ledger", "lineage", *base, "--released-with", "region:home")
        self.assertEqual(len(lines), 1)  # it evaluates, and trains nothing
        _, lines = self.ask("ledger", "lineage", *base, "--released-with", "region:ae", "--after", "2999-01-01")
        self.assertEqual(len(lines), 1)
        code, _ = self.ask("ledger", "lineage", *base, "--released-with", "colour:red")
        self.assertEqual(code, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
