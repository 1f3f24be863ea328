# SPDX-License-Identifier: Apache-2.0
"""What the tests of the command line share: the program, a folder for each test, small recipes."""
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ.get("SPIKESTILL_PROGRAM", "")
SOURCE = Path(os.environ.get("SPIKESTILL_SOURCE_DIR", Path(__file__).resolve().parents[2]))
SLOW = bool(os.environ.get("SPIKESTILL_SANITIZE"))
COMMANDS = ("train", "sweep", "eval", "convert", "quantize", "inspect", "energy", "report", "import", "export", "data", "quickstart", "bench",
            "recipe", "version", "completion", "help")

# A few thousandths of a second an epoch.
TINY = """\
data: {name: digits, digits_train: 200, digits_test: 60, validation: 0.1}
student: {model: mlp, hidden: 16, timesteps: 2, norm: none}
optimizer: {kind: adamw}
train: {epochs: 2, batch: 20, evaluation_batch: 30}
"""

# What a small network can hold of everything that must survive a resume: convolution, batch norm, dropout, mixup,
# random crops, momentum, a warm-up.
SMALL = """\
name: small
data: {name: digits, digits_train: 400, digits_test: 60, validation: 0.1, augment: {crop_padding: 2, mixup: 0.2}}
student:
  timesteps: 2
  layers: [conv: {out: 4, stride: 2}, norm, act, avgpool, dropout: {rate: 0.1}, linear]
optimizer: {kind: sgd, learning_rate: 0.05}
schedule: {kind: cosine, warmup_epochs: 1}
train: {epochs: 3, batch: 20, evaluation_batch: 30}
"""


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


def environment(**more):
    # Threads that spin while they wait make a shared machine crawl.
    return {**os.environ, "OMP_WAIT_POLICY": "passive", "LC_ALL": "C", **more}


@unittest.skipUnless(PROGRAM, "SPIKESTILL_PROGRAM does not name the program")
class ProgramTest(unittest.TestCase):
    """Each test has a folder of its own, in which the program runs."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="spikestill-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.write("tiny.yaml", TINY)
        self.write("small.yaml", SMALL)

    def path(self, name):
        return self.folder / name

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def start(self, *words, **options):
        return subprocess.Popen([PROGRAM, *map(str, words)], cwd=self.folder, env=environment(),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run_program(self, *words, **options):
        process = self.start(*words, **options)
        try:
            out, err = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Result(process.returncode, out.decode(), err.decode())

    def good(self, *words, **options):
        """Runs the program, which must succeed."""
        result = self.run_program(*words, **options)
        self.assertEqual(result.code, 0, f"{words}: {result.err}")
        return result

    def bad(self, code, words, *parts, **options):
        """Runs the program, which must fail with that code and one sentence that holds the parts."""
        before = self.files()
        result = self.run_program(*words, **options)
        told = f"{' '.join(map(str, words))}: exit code {result.code}, says: {result.err}"
        self.assertEqual(result.code, code, told)
        self.assertEqual(result.out, "", told)
        sentences = re.sub(r"(?m)^spikestill: warning: .*\n", "", result.err)
        self.assertRegex(sentences, r"\Aspikestill: [^\n]+\n\Z", told)
        for part in parts:
            self.assertIn(part, result.err, told)
        self.assert_no_scraps()
        after = self.files()
        for name, content in before.items():
            self.assertTrue(after.get(name) == content, f"{told}: {name} was changed")
        return result

    def files(self, folder="."):
        """The content of every file below the folder, by name."""
        root = self.folder / folder
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def assert_no_scraps(self):
        self.assertEqual([name for name in self.files() if ".tmp" in name], [])

    def tensors(self, path):
        """Names of a checkpoint's tensors, and the bytes of each."""
        data = self.path(path).read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + length])
        header.pop("__metadata__")
        start = 8 + length
        return {name: data[start + begin:start + end]
                for name, (begin, end) in ((name, value["data_offsets"]) for name, value in header.items())}

    # What must be the same bits however often a run was stopped.
    RECORDS = ("history.jsonl", "checkpoint.safetensors", "best.safetensors", "recipe.yaml")

    def assert_same_run(self, folder, expected):
        for name in self.RECORDS:
            same = (self.path(folder) / name).read_bytes() == (self.path(expected) / name).read_bytes()
            self.assertTrue(same, f"{folder}/{name} differs from {expected}/{name}")
        times = ("seconds", "samples_per_second")
        one, two = (json.loads((self.path(f) / "result.json").read_text()) for f in (folder, expected))
        self.assertEqual({k: v for k, v in one.items() if k not in times},
                         {k: v for k, v in two.items() if k not in times})
