# SPDX-License-Identifier: Apache-2.0
"""Plants bugs (planted.py) in a copy of the sources, one at a time, and demands that a test notices each.

The copy is built once; each bug then costs the compilation of a file and the suites named with it. Says for each bug
which suites noticed. SPIKESTILL_MUTATIONS=word runs the bugs whose text holds the word.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import planted

SOURCE = Path(os.environ["SPIKESTILL_SOURCE_DIR"])
NETWORK_SUITES = ("golden/test_step_golden", "grad/test_network_gradients", "property/test_network_properties",
                  "property/test_distill_properties")
LEFT_OUT = {"build", "runs", "data", "shared"}  # what users have beside the sources
SECONDS = 300  # for a suite, of which two run at a time; a bug may make it run forever


def instructions():
    """What Linux says of the processor; on others nothing is known."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return {word for line in lines if line.startswith("flags") for word in line.split(":", 1)[1].split()}


INSTRUCTIONS = instructions()


def is_script(suite):
    return suite.endswith(".py")


def chosen():
    word = os.environ.get("SPIKESTILL_MUTATIONS", "")
    return [bug for bug in planted.BUGS if word in bug.what]


def copy_sources(to):
    to.mkdir()
    for entry in SOURCE.iterdir():
        if entry.name.startswith(".") or entry.name in LEFT_OUT:
            continue
        if entry.is_dir():
            shutil.copytree(entry, to / entry.name, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
        else:
            shutil.copy2(entry, to / entry.name)


@unittest.skipUnless(shutil.which("cmake") and shutil.which("ninja"), "needs cmake and ninja")
class Mutations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = Path(tempfile.mkdtemp(prefix="spikestill-mutations-"))
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.source, cls.build = folder / "source", folder / "build"
        copy_sources(cls.source)
        # Little optimisation: compiling takes longer than running.
        cls.command("cmake", "-S", cls.source, "-B", cls.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                    "-DCMAKE_C_FLAGS_DEBUG=-O1", "-DSPIKESTILL_TESTS=ON")
        suites = sorted({suite for bug in chosen() for suite in bug.suites} | set(NETWORK_SUITES))
        cls.make(suites)
        failed = cls.failing(suites)
        if failed:
            raise AssertionError(f"without any bug these suites fail: {', '.join(failed)}")

    @classmethod
    def command(cls, *words):
        done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, words))} exited with {done.returncode}:\n{done.stdout[-4000:]}")

    @classmethod
    def make(cls, suites):
        jobs = min(2, os.cpu_count() or 1)
        targets = {"spikestill_program" if is_script(suite) else suite.split("/")[1] for suite in suites}
        cls.command("ninja", "-C", cls.build, f"-j{jobs}", *sorted(targets))

    @classmethod
    def fails(cls, suite):
        # Waiting threads sleep: two suites at a time on two cores would otherwise spin against each other.
        environment = dict(os.environ, OMP_WAIT_POLICY="passive", SPIKESTILL_SOURCE_DIR=str(cls.source),
                           SPIKESTILL_BUILD_DIR=str(cls.build), SPIKESTILL_PROGRAM=str(cls.build / "spikestill"))
        words = [cls.build / "tests" / suite]
        if is_script(suite):
            words = [sys.executable, SOURCE / "tests/support/run_python.py", SOURCE / "tests" / suite]
        try:
            done = subprocess.run(words, cwd=cls.build, env=environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return True
        return done.returncode != 0

    @classmethod
    def failing(cls, suites):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return [suite for suite, failed in zip(suites, pool.map(cls.fails, suites)) if failed]

    def check(self, bug):
        if bug.needs and bug.needs not in INSTRUCTIONS:
            self.skipTest(f"this processor has no {bug.needs}")
        path = self.source / bug.file
        sound = path.read_text()
        suites = bug.suites + NETWORK_SUITES
        path.write_text(planted.text_with(bug, sound))
        try:
            self.make(suites)
            noticed = self.failing(suites)
        finally:
            path.write_text(sound)
        print(f"{bug.what}: noticed by {', '.join(noticed) or 'nobody'}", flush=True)
        self.assertTrue(noticed, f"{bug.what}: none of {', '.join(suites)} noticed")


def add_test(bug):
    name = "test_" + "".join(c if c.isalnum() else "_" for c in bug.what)
    setattr(Mutations, name, lambda self: self.check(bug))


for each in chosen():
    add_test(each)
