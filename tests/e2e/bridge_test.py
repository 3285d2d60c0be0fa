#!/usr/bin/python3
"""An organisation's own Open Policy Agent as one more guardrail: a small server that speaks its data API, in a process
that can say yes, say no, say nonsense, be slow, and be gone. Jobs wait for it and go on by themselves; people hear its
reasons; whatever is not plainly a verdict denies. The audit takes all of it again and asks nobody."""

import json
import subprocess
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from federation import OPEN_FEDERATION, FederationTest, free_port, wait_for

GUARD = """policy: opa
kind: guardrail
title: What our own policy engine says
approvals: {propose: [compliance], need: 1, from: [dpo]}
effective: {from: 2026-01-01}
rules:
  - id: asks
    effect: require
    when: {op: {in: [send_model, send_delta, aggregate, release_model]}}
    require:
      - id: word
        check: {bridge.opa: {is: allow}}
        fix: Ask the platform team.
"""
RULE = "/v1/data/carnet/verdict"
NO = {"result": {"allow": False, "reasons": ["Singapore is not on the list"]}}


class PolicyAgent:
    """Answers POST of one rule. `answer(input)` gives the status and the body; every input is kept."""

    def __init__(self, port):
        agent = self
        self.inputs, self.answer, self.done = [], lambda flow: (200, {"result": True}), threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == RULE and list(body) == ["input"], (self.path, body)
                agent.inputs.append(body["input"])
                status, answer = agent.answer(body["input"])
                text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    if status == 307:
                        self.send_header("Location", RULE)
                    self.end_headers()
                    self.wfile.write(text)
                except ConnectionError:
                    pass  # nobody waited for it

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.done.set()
        self.server.shutdown()
        self.server.server_close()


class Bridge(FederationTest):
    port = free_port()
    options = {"federation": OPEN_FEDERATION, "policies": {"opa.yaml": GUARD}, "coordinator_config":
               f'bridge: {{opa: {{url: "http://127.0.0.1:{port}{RULE}", timeout: 1s}}}}\n'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.agent = None
        cls.addClassCleanup(cls.stop_agent)
        cls.federation.start_all(("fr-1", "sg-1"))

    @classmethod
    def start_agent(cls):
        if cls.agent is None:
            cls.agent = PolicyAgent(cls.port)
        return cls.agent

    @classmethod
    def stop_agent(cls):
        if cls.agent is not None:
            cls.agent.stop()
            cls.agent = None

    def verdicts(self, job=None):
        return [r["predicate"] for r in self.federation.records_of("bridge-verdict", job)]

    def submit(self, name, **job):
        return self.federation.submit(self.federation.write_job(rounds=1, evaluate=0, name=f"{name}.yaml", **job))

    def test_1_a_job_waits_while_the_engine_is_down_and_goes_on_when_it_is_back(self):
        federation = self.federation
        type(self).job = job = self.submit("down", minimum=2, target=2)
        said = "hold: the verdict of the organisation's Open Policy Agent, which does not answer"
        wait_for(lambda: federation.status(job)["waiting_for"] == said, "the job to say what it waits for")
        self.assertEqual({(v["outcome"], v["error"]) for v in self.verdicts(job)}, {("error", "unreachable")})
        self.assertEqual(federation.records_of("round-opened"), [])
        agent = self.start_agent()
        self.assertEqual(federation.wait_ended(job)["state"], "completed")
        allowed = [v for v in self.verdicts(job) if v["outcome"] == "allowed"]
        self.assertEqual({v["flow"]["operation"] for v in allowed},
                         {"OPERATION_SEND_MODEL", "OPERATION_SEND_DELTA", "OPERATION_AGGREGATE"})
        # What is on record is what was asked, word for word, and each question was asked once.
        asked = [json.dumps(one, sort_keys=True) for one in agent.inputs]
        self.assertEqual(sorted(asked), sorted(set(asked)))
        self.assertEqual(sorted(asked), sorted(json.dumps(json.loads(v["input"]), sort_keys=True) for v in allowed))
        self.assertEqual({one["job.id"] for one in agent.inputs}, {job})
        self.assertEqual([r for r in federation.records_of("refusal", job)], [])

    def test_2_its_no_keeps_a_place_out_and_says_why(self):
        agent = self.start_agent()
        agent.answer = lambda flow: (200, NO if flow["to.jurisdiction"] == "SG" else {"result": True, "decision_id": "d-1"})
        job = self.submit("no", minimum=1, target=2)
        self.assertEqual(self.federation.wait_ended(job)["state"], "completed")
        members = [m["worker_id"] for r in self.federation.records_of("round-opened", job) for m in r["predicate"]["members"]]
        self.assertEqual(members, [self.federation.worker_ids()["fr-1"]])
        text = self.federation.run("policy", "refusals", "--job", job, "--state", self.federation.home)
        self.assertIn("The organisation's Open Policy Agent said no: Singapore is not on the list.", text)
        self.assertIn("Fix: Ask the platform team.", text)
        self.assertEqual({v["engine_decision_id"] for v in self.verdicts(job) if v["outcome"] == "allowed"}, {"d-1"})

    def test_3_whatever_is_not_plainly_a_verdict_denies(self):
        federation, agent = self.federation, self.start_agent()

        def slow(_):
            agent.done.wait(5)
            return 200, {"result": True}

        def export():
            return federation.call("job", "export", self.job, "--out", federation.folder / "out", "--state", federation.home)

        # Each paper changes the facts of the release, so each is a question of its own.
        papers = ("bcr", "tia", "scc-2021-914", "adgm-scc", "art49-derogation", "asean-mcc")
        answers = ((lambda _: (500, {"result": True}), "refused"), (lambda _: (307, {"result": True}), "refused"),
                   (lambda _: (200, "<html>yes</html>"), "not-a-verdict"),
                   (lambda _: (200, {"result": True, "pad": "x" * 70000}), "not-a-verdict"),
                   (lambda _: (200, {"result": {"allow": True, "deny": True}}), "not-a-verdict"), (slow, "timed-out"))
        for paper, (answer, error) in zip(papers, answers):
            document = federation.folder / f"{paper}.txt"
            document.write_text(paper)
            federation.run("evidence", "add", "--kind", paper, "--recipient", "acme", "--to", "DE", "--document", document,
                           "--from", "2026-01-01", "--until", "2027-10-31", "--state", federation.home)
            agent.answer = answer
            done = export()
            self.assertEqual(done.returncode, 1, (paper, done.stdout, done.stderr))
            self.assertIn(f"has not answered ({error})", done.stdout + done.stderr)
            self.assertEqual(self.verdicts()[-1]["error"], error)
        self.assertFalse((federation.folder / "out/model.safetensors").exists())
        # It is not asked again before its time: the same answer at once, from what is on record.
        count = len(agent.inputs)
        agent.answer = lambda _: (200, {"result": True})
        self.assertEqual(export().returncode, 1)
        self.assertEqual(len(agent.inputs), count)
        # A rule that says nothing of the flow says no.
        document = federation.folder / "bis-license.txt"
        document.write_text("bis-license")
        federation.run("evidence", "add", "--kind", "bis-license", "--recipient", "acme", "--to", "DE", "--document", document,
                       "--from", "2026-01-01", "--until", "2027-10-31", "--state", federation.home)
        agent.answer = lambda _: (200, {})
        done = export()
        self.assertEqual(done.returncode, 1)
        self.assertIn("said no: the rule is undefined for this input", done.stdout + done.stderr)
        self.assertEqual((self.verdicts()[-1]["outcome"], self.verdicts()[-1].get("error", "")), ("denied", ""))

    def test_4_its_yes_lets_the_model_go_within_the_same_call(self):
        federation, agent = self.federation, self.start_agent()
        agent.answer = lambda _: (200, {"result": {"allow": True, "reasons": ["contract C-7"]}})
        document = federation.folder / "last.txt"
        document.write_text("last")
        federation.run("evidence", "add", "--kind", "validated-end-user", "--recipient", "acme", "--to", "DE", "--document",
                       document, "--from", "2026-01-01", "--until", "2027-10-31", "--state", federation.home)
        out = federation.export(self.job)
        self.assertEqual(federation.verify(out).returncode, 0)
        self.assertEqual((self.verdicts()[-1]["outcome"], self.verdicts()[-1]["reasons"]), ("allowed", ["contract C-7"]))
        metrics = subprocess.run(["curl", "--silent", "--insecure", f"https://127.0.0.1:{federation.https}/metrics"],
                                 capture_output=True, text=True, check=True).stdout
        self.assertRegex(metrics, r'carnet_bridge_verdicts_total\{bridge="opa",outcome="error"\} [1-9]')
        self.assertRegex(metrics, r'carnet_bridge_questions_total\{bridge="opa"\} [1-9]')

    def test_5_the_audit_decides_all_of_it_again_and_asks_nobody(self):
        federation = self.federation
        self.stop_agent()
        federation.run("ledger", "trust", "--state", federation.home, "--out", federation.folder / "trust")
        done = federation.call("audit", "--state", federation.home, "--trust", federation.folder / "trust/trust.policy")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_6_a_configuration_that_names_no_rule_does_not_start(self):
        federation = self.federation
        federation.coordinator.stop()
        founded = federation.founded_config
        for url, said in (("http://127.0.0.1:1/v1/policies/x", "/v1/data/PATH of a rule was expected"),
                          ("http://opa.acme.example/v1/data/x", "was expected"),
                          ("http://127.evil.example:8181/v1/data/x", "plain http is for loopback addresses alone"),
                          ("https://opa.acme.example/v1/data/x", "needs `ca_file`")):
            (federation.home / "coordinator.yaml").write_text(f'{founded}bridge: {{opa: {{url: "{url}"}}}}\n')
            done = federation.call("coordinator", "run", "--state", federation.home, seconds=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main()
