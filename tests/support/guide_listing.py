# SPDX-License-Identifier: Apache-2.0
"""Writes a named listing of a document to a file: guide_listing.py DOCUMENT NAME OUT. The build compiles what readers see."""
import re
import sys
from pathlib import Path


def main(document, name, out):
    found = re.findall(rf"^```\w+ {re.escape(name)}\n(.*?)^```$", Path(document).read_text(), re.MULTILINE | re.DOTALL)
    if len(found) != 1:
        sys.exit(f"{document}: {len(found)} listings are called {name}, expected one")
    Path(out).write_text(found[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
