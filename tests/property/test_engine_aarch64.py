# SPDX-License-Identifier: Apache-2.0
"""The engine's property test on 64-bit ARM: engine and kernels, levels plain and neon, by a cross compiler, under qemu.

The whole library is more than a cross compiler alone can build; of it are taken the engine, integer networks and what
they rest on. Skipped where aarch64-linux-gnu-gcc or qemu-aarch64 are not installed.
"""
import glob
import os
import shutil
import subprocess
import tempfile
import unittest

COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE = "clock context crossover fail log memory parallel_pthread random status text".split()
DEPLOY = ("bench_network engine engine_events engine_levels engine_plan engine_rows engine_slices engine_weights "
          "integer_build integer_check integer_pack integer_rules integer_simulate integer_sizes integer_words").split()
CASES = "40"


def compile_into(folder, sources, extra=()):
    os.mkdir(folder)
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-pthread", "-DSPIKESTILL_SOURCE_DIR=\"%s\"" % ROOT]
    includes = ["include", "src", "tests/support", "tests/support/bare_cmocka"]
    run([COMPILER, *flags, *extra, *("-I" + os.path.join(ROOT, i) for i in includes), "-c", *sources], folder)
    return glob.glob(os.path.join(folder, "*.o"))


def run(command, folder, environment=None):
    done = subprocess.run(command, cwd=folder, env=environment, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise AssertionError("%s ended with %d:\n%s" % (command[0], done.returncode, done.stdout))


def build(folder, own, extra=()):
    """A program of the engine and what it rests on, and of the sources `own`, with more flags for those."""
    def source(part, names):
        return [os.path.join(ROOT, part, name + ".c") for name in names]

    kernels = sorted(glob.glob(os.path.join(ROOT, "src/deploy/kernel_*.c")))
    sources = source("src/base", BASE) + source("src/deploy", DEPLOY)
    objects = compile_into(os.path.join(folder, "rest"), sources) + compile_into(os.path.join(folder, "own"), own, extra)
    objects += compile_into(os.path.join(folder, "plain"), kernels, ["-DSSTI_KERNEL_LEVEL=plain"])
    objects += compile_into(os.path.join(folder, "neon"), kernels, ["-DSSTI_KERNEL_LEVEL=neon", "-DSSTI_KERNEL_NEON"])
    program = os.path.join(folder, "test_engine")
    run([COMPILER, "-static", "-pthread", *objects, "-lm", "-o", program], folder)
    return program


class EngineOnArm(unittest.TestCase):
    def test_engine_properties(self):
        for tool in (COMPILER, EMULATOR):
            if shutil.which(tool) is None:
                self.skipTest("%s is not installed (scripts/setup.sh check)" % tool)
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "SPIKESTILL_CASES": os.environ.get("SPIKESTILL_CASES", CASES)}
            own = ["tests/support/random_integer_network.c", "tests/property/test_engine_properties.c"]
            run([EMULATOR, build(folder, [os.path.join(ROOT, path) for path in own])], folder, environment)
