# SPDX-License-Identifier: Apache-2.0
"""Runs one Python test file and reports each test function on a line of its own, as cmocka does.

A test file holds unittest.TestCase classes. Usage: run_python.py FILE. Exit code 0 passed, 77 all skipped, else 1.
"""
import importlib.util
import os
import sys
import unittest


class LineResult(unittest.TestResult):
    """Prints "[       OK ] name", "[  FAILED  ] name" or "[  SKIPPED ] name" for each test, nothing else on its line."""

    def __init__(self):
        super().__init__()
        self.passed = 0

    @staticmethod
    def line(word, test):
        sys.stdout.flush()
        sys.stderr.flush()
        name = test.id().split(".", 1)[-1] if isinstance(test, unittest.TestCase) else test.id()
        print(f"[{word}] {name}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.line("       OK ", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(self.failures[-1][1])
        self.line("  FAILED  ", test)

    def addError(self, test, err):
        super().addError(test, err)
        print(self.errors[-1][1])
        self.line("  FAILED  ", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"SKIP: {reason}")
        self.line("  SKIPPED ", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            print(subtest.id())
            print((self.failures + self.errors)[-1][1])
            self.line("  FAILED  ", test)


def main():
    path = os.path.abspath(sys.argv[1])
    sys.path.insert(0, os.path.dirname(path))
    sys.argv = sys.argv[1:]
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    result = LineResult()
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    if not result.wasSuccessful():
        return 1
    if result.passed == 0:
        if result.skipped:
            return 77
        print(f"{path}: holds no test")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
