# SPDX-License-Identifier: Apache-2.0
"""Installs the build into a temporary folder and uses it from outside: find_package, pkg-config, the program."""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ["SPIKESTILL_SOURCE_DIR"])
BUILD = Path(os.environ["SPIKESTILL_BUILD_DIR"])
SANITIZED = bool(os.environ.get("SPIKESTILL_SANITIZE"))


def version():
    text = (SOURCE / "include/spikestill/version.h").read_text()
    return ".".join(re.search(rf"#define SST_VERSION_{part} (\d+)", text).group(1)
                    for part in ("MAJOR", "MINOR", "PATCH"))


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))} exited with {done.returncode}:\n{done.stdout}")
    return done.stdout


@unittest.skipIf(SANITIZED, "a consumer without the sanitizer cannot load a sanitized library")
class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = Path(tempfile.mkdtemp(prefix="spikestill-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.temp)
        first = cls.temp / "first"
        run("cmake", "--install", BUILD, "--prefix", first)
        # Moved after it was installed: nothing in it may know where it was.
        cls.prefix = cls.temp / "moved here"
        first.rename(cls.prefix)
        cls.package_files = list(cls.prefix.rglob("spikestill.pc"))

    def test_headers_licence_and_soname(self):
        public = {path.name for path in (SOURCE / "include/spikestill").glob("*.h")}
        self.assertEqual({path.name for path in (self.prefix / "include/spikestill").iterdir()}, public)
        self.assertEqual(len(list(self.prefix.rglob("LICENSE"))), 1)
        library = next(self.prefix.rglob("libspikestill.so." + version()))
        dynamic = run("readelf", "-d", library)
        self.assertIn("libspikestill.so." + version().split(".")[0] + "]", dynamic)

    def test_nothing_installed_names_the_build_folder(self):
        for path in self.prefix.rglob("*"):
            if path.suffix in (".cmake", ".pc", ".h"):
                self.assertNotIn(str(BUILD), path.read_text(), path)
            elif ".so" in path.name or path.name == "spikestill" and path.parent.name == "bin":
                self.assertNotIn(str(BUILD), run("readelf", "-d", path), path)  # no run path into the build

    def test_every_header_stands_alone(self):
        for header in sorted((self.prefix / "include/spikestill").iterdir()):
            unit = self.temp / "alone.c"
            unit.write_text(f"#include <spikestill/{header.name}>\n")
            run("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                "-I", self.prefix / "include", unit)

    def test_find_package(self):
        build = self.temp / "with-cmake"
        run("cmake", "-S", SOURCE / "tests/install/consumer", "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        self.assertEqual(run(build / "consumer").strip(), version())

    def test_find_package_refuses_another_minor_version(self):
        other = self.temp / "other"
        shutil.copytree(SOURCE / "tests/install/consumer", other)
        lists = other / "CMakeLists.txt"
        lists.write_text(lists.read_text().replace("spikestill 0.1 ", "spikestill 0.99 "))
        with self.assertRaisesRegex(AssertionError, "0.99"):
            run("cmake", "-S", other, "-B", other / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}")

    def test_pkg_config(self):
        self.assertEqual(len(self.package_files), 1)
        environment = dict(os.environ, PKG_CONFIG_PATH=str(self.package_files[0].parent))
        self.assertEqual(run("pkg-config", "--modversion", "spikestill", env=environment).strip(), version())
        flags = shlex.split(run("pkg-config", "--cflags", "--libs", "spikestill", env=environment))
        program = self.temp / "with-pkg-config"
        run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", SOURCE / "tests/install/consumer/consumer.c", "-o", program,
            *flags)
        folder = next(path for path in self.prefix.rglob("libspikestill.so")).parent
        environment["LD_LIBRARY_PATH"] = str(folder)
        self.assertEqual(run(program, env=environment).strip(), version())

    def test_the_installed_program_finds_its_library(self):
        program = self.prefix / "bin/spikestill"
        if not program.exists():
            self.skipTest("this build has no program")
        self.assertIn(version(), run(program, "version"))

    def test_manual_and_completions(self):
        if not (SOURCE / "docs/man/spikestill.1").exists():
            self.skipTest("there is no manual page yet")
        self.assertTrue(list(self.prefix.rglob("man1/spikestill.1")))
        for file in (SOURCE / "programs/spikestill/completions").glob("*"):
            wanted = "spikestill" if file.suffix == ".bash" else file.name
            self.assertTrue([path for path in (self.prefix / "share").rglob(wanted) if path.is_file()], wanted)


class Symbols(unittest.TestCase):
    def test_exported_symbols_are_the_declared_ones(self):
        declared = set()
        for header in (SOURCE / "include/spikestill").glob("*.h"):
            text = re.sub(r"/\*.*?\*/", " ", header.read_text(), flags=re.DOTALL)
            text = re.sub(r"//[^\n]*", "", text)
            text = re.sub(r"^\s*#\s*define\b(\\\n|[^\n])*", "", text, flags=re.MULTILINE)
            # From the mark to the first name with a parenthesis, which is the function's.
            for declaration in re.findall(r"\bSST_API\b([^;{]*)", text):
                found = re.search(r"\b(sst_\w+)\s*\(", declaration)
                self.assertIsNotNone(found, f"{header.name}: no function in \"{declaration.strip()}\"")
                declared.add(found.group(1))
        self.assertGreater(len(declared), 20)
        lines = run("nm", "-D", "--defined-only", BUILD / "libspikestill.so").splitlines()
        # The coverage build brings functions of gcov along.
        exported = {line.split()[-1] for line in lines if not re.search(r" (__gcov\w*|mangle_path)$", line)}
        if SANITIZED:
            exported = {symbol for symbol in exported if symbol.startswith("sst")}
        self.assertEqual(sorted(declared - exported), [], "declared, but not in the library")
        self.assertEqual(sorted(exported - declared), [], "in the library, but not declared")


if __name__ == "__main__":
    unittest.main()
