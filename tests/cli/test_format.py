#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-format has nothing to say about any source of the tree."""
import re
import shutil
import subprocess
import unittest

from program import SOURCE

VERSION = "14"  # Debian 12's; others lay some lines out differently
FOLDERS = ("bench", "examples", "include", "programs", "scripts", "src", "tests")


def reason_to_skip():
    if not shutil.which("clang-format"):
        return "clang-format is not installed"
    found = re.search(r"version (\d+)", subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout)
    return None if found and found[1] == VERSION else f"clang-format is not version {VERSION}"


class Format(unittest.TestCase):
    @unittest.skipIf(reason_to_skip(), reason_to_skip())
    def test_sources(self):
        sources = sorted(path for folder in FOLDERS for path in (SOURCE / folder).rglob("*") if path.suffix in (".c", ".h", ".cpp", ".cu"))
        self.assertGreater(len(sources), 100)
        told = subprocess.run(["clang-format", "--dry-run", *sources], capture_output=True, text=True).stderr
        self.assertEqual("", "\n".join(sorted(set(re.findall(r"^(.*?:\d+):\d+: .*clang-format", told, re.MULTILINE)))[:20]))


if __name__ == "__main__":
    unittest.main()
