# SPDX-License-Identifier: Apache-2.0
"""The list of bugs that tests/mutations plants holds for today's sources: each can be planted, and its suites exist.

Planting them all takes a long time and is done seldom; what a list says of the sources would be wrong by then.
"""
import os
import sys
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("SPIKESTILL_SOURCE_DIR", Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(ROOT / "tests/mutations"))
import planted  # noqa: E402


class PlantedBugs(unittest.TestCase):
    def test_each_can_be_planted(self):
        for bug in planted.BUGS:
            with self.subTest(bug.what):
                self.assertTrue(bug.changes)
                text = (ROOT / bug.file).read_text(encoding="utf-8")
                self.assertNotEqual(planted.text_with(bug, text), text)

    def test_each_names_suites_that_exist(self):
        for bug in planted.BUGS:
            for suite in bug.suites:
                path = ROOT / "tests" / (suite if suite.endswith(".py") else f"{suite}.c")
                self.assertTrue(path.is_file(), f"{bug.what}: there is no suite {suite}")

    def test_each_is_there_once(self):
        names = [bug.what for bug in planted.BUGS]
        self.assertEqual(sorted(names), sorted(set(names)))

    def test_a_lost_place_is_said(self):
        bug = planted.Bug("a bug", "src/file.c", (("old", "new"),), (), None)
        for text, found in ("", 0), ("old, old", 2):
            with self.assertRaisesRegex(ValueError, f"src/file.c holds {found} times, expected once:\nold"):
                planted.text_with(bug, text)
        with self.assertRaisesRegex(ValueError, "a bug: nothing changes in\nold"):
            planted.text_with(bug._replace(changes=(("old", "old"),)), "old")
        self.assertEqual(planted.text_with(bug, "an old text"), "an new text")


if __name__ == "__main__":
    unittest.main()
