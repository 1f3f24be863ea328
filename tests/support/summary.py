# SPDX-License-Identifier: Apache-2.0
"""Counts the single test functions of a ctest run from its JUnit report.

Usage: summary.py REPORT. Names what failed and why tests were skipped; the last line is "N passed, N failed, N skipped".
A suite that reports no functions (a shell script) counts as one; so does one that ends without saying what failed.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

EVENT = re.compile(r"\[(       OK |  FAILED  |  ERROR   |  SKIPPED )\] (.*)")
WORDS = {"OK": "passed", "FAILED": "failed", "ERROR": "failed", "SKIPPED": "skipped"}


def functions(output):
    """(verdict, name) of each test function. cmocka repeats the failures after its "run." line; those are left out."""
    repeating = False
    for line in output.splitlines():
        if line.startswith("[==========]"):
            repeating = line.rstrip().endswith("run.")
        found = EVENT.search(line)
        if found and not repeating:
            yield WORDS[found.group(1).strip()], found.group(2).strip()


def main():
    try:
        suites = ElementTree.parse(sys.argv[1]).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError) as error:
        print(f"there is no report of the tests: {error}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    count = {"passed": 0, "failed": 0, "skipped": 0}
    failures, reasons = [], {}
    for suite in suites:
        name, status = suite.get("name"), suite.get("status")
        output = suite.findtext("system-out") or ""
        results = list(functions(output))
        for verdict, function in results:
            count[verdict] += 1
            if verdict == "failed":
                failures.append(f"{name}: {function}")
        seen = {verdict for verdict, _ in results}
        for reason in re.findall(r"SKIP: (.*)", output):
            reasons[reason] = reasons.get(reason, 0) + 1
        if status == "fail" and "failed" not in seen:
            count["failed"] += 1
            failures.append(f"{name}: crashed, ran out of time, or failed without saying in which test")
        elif status not in ("run", "fail") and not results:
            count["skipped"] += 1
        elif status == "run" and not results:
            count["passed"] += 1
    for reason, times in sorted(reasons.items()):
        print(f"skipped {times}: {reason}")
    for failure in failures:
        print(f"failed: {failure}")
    if sum(count.values()) == 0:
        print("no test was run")
        count["failed"] = 1
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
