#!/usr/bin/python3
"""Runs the commands of README.md as they stand there, in one shell, in a folder of their own.

A block of shell after a line `<!-- test: name -->` is run; `build` and `demo` are not (scripts/build and scripts/demo
are run by whoever builds). Ports 7600 and 7680 stand in the text; where somebody has them, free ones take their place.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from federation import BINARY, ROOT, free_port, say

SKIPPED = ("build", "demo", "test")
BLOCK = re.compile(r"<!-- test: ([a-z-]+) -->\n```sh\n(.*?)\n```", re.DOTALL)
DEFAULT_PORTS = (7600, 7680)
EXPECTED_BLOCKS = ("data", "init", "coordinator", "workers", "submit", "verify", "stop")


def port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Readme(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="carnet-readme-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        shutil.copytree(ROOT / "examples", self.folder / "examples")
        (self.folder / "bin").mkdir()
        (self.folder / "bin/carnet").symlink_to(BINARY)

    def test_the_commands_work_as_they_stand(self):
        blocks = dict(BLOCK.findall((ROOT / "README.md").read_text()))
        self.assertTrue(set(EXPECTED_BLOCKS) <= set(blocks), f"blocks: {list(blocks)}")
        script = "".join(f"echo '== {name}'\n{text}\n" for name, text in blocks.items() if name not in SKIPPED)
        ports = {port: port if all(map(port_is_free, DEFAULT_PORTS)) else free_port() for port in DEFAULT_PORTS}
        for port, other in ports.items():
            script = script.replace(str(port), str(other))
        if ports[7600] != 7600:
            say(f"ports {DEFAULT_PORTS} are taken: {ports}")
            listen = f'listen: {{grpc: "127.0.0.1:{ports[7600]}", https: "127.0.0.1:{ports[7680]}"}}\n'
            with (self.folder / "examples/digits/federation.yaml").open("a") as federation:
                federation.write(listen)
        log = self.folder / "readme.log"
        with log.open("wb") as output:
            # A process group of its own, so that nothing outlives a script that stops half-way.
            shell = subprocess.Popen(["bash", "-e", "-u", "-o", "pipefail", "-c", script], cwd=self.folder, stdout=output,
                                     stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                                     env={**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}"})
            try:
                code = shell.wait(240)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                try:
                    os.killpg(shell.pid, 9)
                except ProcessLookupError:
                    pass
        said = log.read_text(errors="replace")
        self.assertEqual(code, 0, said[-4000:] + "".join(
            f"\n-- {path.name}\n{path.read_text(errors='replace')[-1000:]}" for path in sorted((self.folder / "play").glob("*.log"))))
        for name in blocks:
            if name not in SKIPPED:
                self.assertIn(f"== {name}\n", said)
        self.assertTrue((self.folder / "play/out/model.safetensors").exists())
        say(said[-2500:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
