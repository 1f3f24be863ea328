#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether an integer network gives the same spikes everywhere: its simulation, the engine with every instruction set,
and its C source, here and on other processors under emulators.

    scripts/compare_integers.py RUN FILE [--samples N] [--arm N] [--boards N] [--program build/release/spikestill]

RUN is the run directory that FILE was made of by 'spikestill quantize'. The first N samples of the test part are
compared (default: all). Engine and simulation: every spike and every membrane. C source: every logit and the hashes of
all spikes of each layer and step. On 64-bit ARM, the engine with both of its levels, in rows and in slices, on --arm
samples (100); C source on RISC-V and Cortex-M3 on --boards samples (20). What is not installed is skipped and said so.
Prints one line a comparison, ready for a Markdown table; exits with 1 if anything differs.
"""
import argparse
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/property"))
import test_engine_aarch64 as on_arm  # noqa: E402

LEVELS = ["plain", "avx2", "avx512", "neon"]


def run(*command, check=True, **more):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          **more)
    if check and done.returncode != 0:
        sys.exit("%s ended with %d:\n%s%s" % (" ".join(map(str, command)), done.returncode, done.stdout, done.stderr))
    return done


class Comparison:
    def __init__(self, arguments):
        self.arguments = arguments
        self.failed = False

    def tell(self, what, where, count, different, more=""):
        self.failed |= different > 0
        print("| %s | %s | %s | %s | %s |" % (what, where, format(count, ","), different, more), flush=True)

    def engine(self, level):
        """The engine at a level beside the simulation; returns how many samples there are."""
        a = self.arguments
        words = [a.program, "eval", a.file, "--compare", a.run, "--level", level, "--json"]
        done = run(*words, *(["--samples", a.samples] if a.samples else []), check=False)
        if done.returncode not in (0, 3):
            sys.exit(done.stderr)
        found = json.loads(done.stdout)
        if found["level"] != level:
            print("skipped: this processor has no %s" % level, file=sys.stderr)
            return found["count"]
        different = found["different_spikes"] + found["different_membranes"] + found["different_classes"]
        self.tell("simulation and engine, every spike and membrane", level, found["count"], different,
                  "%s spikes, %.2f %%" % (format(found["spikes"], ","), 100 * found["accuracy_integer"]))
        return found["count"]

    def export(self, folder, count):
        run(self.arguments.program, "export", self.arguments.file, "--to", "c", "--name", "net", "--count", count, "--out",
            folder, "--overwrite")

    def example(self, folder, where, count, *commands, tools=()):
        for tool in tools:
            if shutil.which(tool) is None:
                print("skipped %s: %s is not installed" % (where, tool), file=sys.stderr)
                return
        self.export(folder, count)
        for command in commands[:-1]:
            run(*command.split(), cwd=folder)
        done = run(*commands[-1].split(), check=False, cwd=folder)
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
        agree = "%d of %d samples agree in every logit and spike" % (count, count)
        self.tell("C source, every logit and spike", where, count, 0 if done.returncode == 0 and agree in last else count,
                  "" if agree in last else last)

    def arm(self, folder, count):
        for tool in (on_arm.COMPILER, on_arm.EMULATOR):
            if shutil.which(tool) is None:
                print("skipped 64-bit ARM: %s is not installed" % tool, file=sys.stderr)
                return
        self.export(folder, count)
        write_tables(self.arguments.file, folder / "network_tables.h")
        program = on_arm.build(str(folder), [str(ROOT / "scripts/engine_golden.c"), str(folder / "golden.c")],
                               ["-I" + str(folder)])
        done = run(on_arm.EMULATOR, program, check=False)
        if done.returncode not in (0, 1):
            sys.exit(done.stderr)
        for line in done.stdout.splitlines():
            where, rest = line.split(":")
            self.tell("engine and golden samples, every logit and spike", "64-bit ARM, qemu: " + where, count,
                      int(rest.split()[0]), rest.split(",")[1].strip())


# ---- the container as C tables (docs/integer.md)

def unpack(data, count, bits):
    if bits == 2:
        return [byte // 3 ** k % 3 - 1 for byte in data for k in range(5)][:count]
    number, half = int.from_bytes(data, "little"), 1 << (bits - 1)
    codes = []
    for first in range(0, count, 4096):  # pieces, since shifting a long number takes as long as it is
        piece = number >> first * bits & (1 << 4096 * bits) - 1
        codes += [((piece >> i * bits & (1 << bits) - 1) ^ half) - half for i in range(min(4096, count - first))]
    return codes


def table(kind, name, numbers):
    return "static const %s %s[] = {%s};\n" % (kind, name, ",".join(map(str, numbers)))


def fields(struct_name, node, words):
    return ".%s = {%s}" % (struct_name, ", ".join(".%s = %d" % (word, node[word]) for word in words))


SYNAPSES = "kernel_h kernel_w stride_h stride_w pad_h pad_w dilation_h dilation_w groups weight_bits".split()
NEURONS = ("threshold threshold_step hard_reset gain state_shift input_shift decay decay_shift limit state_bits start "
           "exponent").split()
POOL = "kernel_h kernel_w stride_h stride_w pad_h pad_w".split()


def write_tables(path, out):
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    network = json.loads(header["__metadata__"]["network"])

    def tensor(name):
        first, end = header[name]["data_offsets"]
        return data[8 + size + first:8 + size + end]

    def numbers(name, letter, width):
        return struct.unpack("<%d%s" % (len(tensor(name)) // width, letter), tensor(name))

    value = network["input"]
    text = ['#include "deploy/integer_build.h"\n#include "spikestill/engine.h"\n'
            "enum { NET_NODES = %d };\n" % len(network["nodes"])]
    body = []
    if network["pixel_codes"]:
        text.append(table("int16_t", "pixel_codes", numbers("pixel_codes", "h", 2)))
        body.append("  SST_TRY(ssti_integer_array(n, pixel_codes, sizeof pixel_codes / sizeof *pixel_codes, "
                    "sizeof *pixel_codes, &n->pixel_codes));\n")
    for i, node in enumerate(network["nodes"]):
        inputs = (node["input"] + [-1])[:2]
        parts = ['.kind = SST_INTEGER_NODE_%s, .name = "%s", .input = {%d, %d}'
                 % (node["kind"].upper(), node["name"], *inputs)]
        if node["kind"] == "synapses":
            factor, codes = numbers(node["name"] + ".factor", "i", 4), tensor(node["name"] + ".codes")
            bits = node["weight_bits"]
            most = len(codes) * 5 if bits == 2 else len(codes) * 8 // bits
            text.append(table("int8_t", "codes%d" % i, unpack(codes, most, bits)))
            text.append(table("int32_t", "factor%d" % i, factor))
            text.append(table("int32_t", "offset%d" % i, numbers(node["name"] + ".offset", "i", 4)))
            parts.append(fields("synapses", node, SYNAPSES)[:-1] +
                         ", .codes = codes%d, .factor = factor%d, .offset = offset%d}" % (i, i, i))
        elif node["kind"] == "neurons":
            parts.append(fields("neurons", node, NEURONS))
        elif node["kind"].endswith("pool"):
            parts.append(fields("pool", node, POOL))
        elif node["kind"] == "add":
            parts.append(".shift = {%d, %d}" % (node["first_shift"], node["second_shift"]))
        elif node["kind"] == "readout":
            parts.append(".readout = {SST_INTEGER_READOUT_%s, %d, %d, %r}"
                         % (node["readout"].upper(), node["decay"], node["shift"], node["scale"]))
        body.append("  SST_TRY(ssti_integer_add(n, &(sst_integer_node){%s}, %d, %d, NULL));\n"
                    % (", ".join(parts), node.get("channels", 0), node.get("exponent", 0)))
    text.append("static sst_status make_network(sst_context *context, sst_integer_network **out) {\n"
                "  const ssti_integer_header header = {%d, %d, %d, {%s}};\n"
                "  SST_TRY(ssti_integer_begin(context, &header, out));\n  sst_integer_network *n = *out;\n"
                % (network["timesteps"], network["classes"], network["input_each_step"],
                   ", ".join(".%s = %d" % (key, value[key]) for key in value)))
    text += body + ["  return sst_integer_network_check(n);\n}\n"]
    out.write_text("".join(text))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("file")
    parser.add_argument("--samples", type=int, default=0)
    parser.add_argument("--arm", type=int, default=100)
    parser.add_argument("--boards", type=int, default=20)
    parser.add_argument("--program", default=str(ROOT / "build/release/spikestill"))
    arguments = parser.parse_args()
    comparison = Comparison(arguments)
    print("| what | where | samples | differ | |\n| --- | --- | --- | --- | --- |")
    count = max(comparison.engine(level) for level in LEVELS)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        comparison.example(folder / "host", "this machine", count, "make -s", "./example", tools=("make", "cc"))
        comparison.example(folder / "riscv", "RISC-V (rv64gc), qemu", arguments.boards,
                           "make -s CC=riscv64-linux-gnu-gcc LDFLAGS=-static", "qemu-riscv64 ./example", tools=("make", "riscv64-linux-gnu-gcc", "qemu-riscv64"))
        comparison.example(folder / "cortex", "Cortex-M3, qemu", arguments.boards, "make -s check-cortex-m", tools=("make", "arm-none-eabi-gcc", "qemu-system-arm"))
        comparison.arm(folder / "arm", arguments.arm)
    sys.exit(1 if comparison.failed else 0)


if __name__ == "__main__":
    main()
