# SPDX-License-Identifier: Apache-2.0
"""The tree is the architecture: include edges, file names, sizes and licence lines are checked against the rules."""
import os
import re
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("SPIKESTILL_SOURCE_DIR", Path(__file__).resolve().parents[2]))
CODE = {".c", ".h", ".cu", ".cpp"}
SCRIPTS = {".py", ".sh", ".cmake"}
MAX_LINES = 1000
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

# Names that must be what they are, in every folder they are in.
REPEATED_NAMES = {"CMakeLists.txt", "README.md", "index.md"}


def source_files(*folders, suffixes=CODE):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in suffixes and "__pycache__" not in path.parts:
                yield path


def name(path):
    return str(path.relative_to(ROOT))


def allowed_edges():
    """The table of docs/architecture.md: module -> the modules it may include, itself among them."""
    edges = {}
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(cells) != 3 or cells[0] == "module" or set(cells[0]) <= set("- "):
            continue
        edges[cells[0]] = set(cells[1].split()) | {cells[0]}
    return edges


def includes(path):
    return [(kind == "<", target) for kind, target in INCLUDE.findall(path.read_text())]


class Includes(unittest.TestCase):
    def test_the_table_is_there_and_points_down(self):
        edges = allowed_edges()
        self.assertIn("base", edges)
        self.assertEqual(edges["base"], {"base"})
        above = []
        for module, below in edges.items():
            unknown = below - set(edges)
            self.assertFalse(unknown, f"{module} may include {unknown}, which the table does not have")
            # A module's row stands below those it may include, so there can be no circle.
            self.assertLessEqual(below - {module}, set(above), f"{module} stands above a module that it may include")
            above.append(module)

    def test_every_module_has_a_row_and_every_row_a_folder(self):
        folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
        self.assertEqual(folders, set(allowed_edges()))

    def test_modules_include_only_what_the_table_allows(self):
        edges = allowed_edges()
        wrong = []
        for path in source_files("src"):
            module = path.relative_to(ROOT / "src").parts[0]
            for system, target in includes(path):
                part = target.split("/")[0]
                if system or part == "spikestill":
                    continue
                if part not in edges or not (ROOT / "src" / target).is_file():
                    wrong.append(f"{name(path)} includes \"{target}\", which is no file of src/ (paths start at src/)")
                elif part not in edges.get(module, set()):
                    wrong.append(f"{name(path)} includes \"{target}\": {module} may not include {part}")
        self.assertFalse(wrong, "\n" + "\n".join(wrong))

    def test_files_of_another_backend_stay_apart(self):
        """The fast backend starts from the reference table, never the other way."""
        wrong = [f"{name(path)} includes {target}" for path in source_files("src/backend/reference")
                 for _, target in includes(path) if target.startswith("backend/fast/")]
        self.assertFalse(wrong, "\n" + "\n".join(wrong))

    def test_programs_and_examples_include_public_headers_only(self):
        wrong = []
        build = "".join(path.read_text() for path in [ROOT / "CMakeLists.txt", *(ROOT / "cmake").glob("*.cmake")])
        for path in source_files("programs", "examples"):
            for system, target in includes(path):
                inside = (path.parent / target).is_file() or f"/{target}" in build  # beside it, or made by the build
                if not system and not target.startswith("spikestill/") and not inside:
                    wrong.append(f"{name(path)} includes \"{target}\"")
                if target.startswith("spikestill/") and not (ROOT / "include" / target).is_file():
                    wrong.append(f"{name(path)} includes \"{target}\", which is not there")
        self.assertFalse(wrong, "\n" + "\n".join(wrong))

    def test_public_headers_include_public_headers_only(self):
        wrong = [f"{name(path)} includes \"{target}\"" for path in source_files("include")
                 for system, target in includes(path)
                 if not system and not (target.startswith("spikestill/") and (ROOT / "include" / target).is_file())]
        self.assertFalse(wrong, "\n" + "\n".join(wrong))


class Files(unittest.TestCase):
    def test_names_are_unique(self):
        seen = {}
        for path in source_files("src", "include", "programs", "tests", "examples", "scripts", suffixes=CODE | SCRIPTS):
            if path.name not in REPEATED_NAMES:
                # A public header has the name of its concept, which the files of src/ may share.
                key = ("include" if "include" in path.relative_to(ROOT).parts[:1] else "tree", path.name)
                seen.setdefault(key, []).append(name(path))
        twice = [paths for paths in seen.values() if len(paths) > 1]
        self.assertFalse(twice, "\n" + "\n".join(map(str, twice)))

    def test_sizes(self):
        large = []
        for path in source_files("src", "include", "programs", "tests", "examples", "scripts", suffixes=CODE | SCRIPTS):
            lines = path.read_text().count("\n")
            if lines > MAX_LINES:
                large.append(f"{name(path)} has {lines} lines, more than {MAX_LINES}")
        self.assertFalse(large, "\n" + "\n".join(large))

    def test_licence_lines(self):
        wrong = []
        for path in source_files("src", "include", "programs", "tests", "examples", "scripts", "cmake",
                                 suffixes=CODE | SCRIPTS):
            head = path.read_text().splitlines()[:2]
            sign = "//" if path.suffix in CODE else "#"
            if f"{sign} SPDX-License-Identifier: Apache-2.0" not in head:
                wrong.append(f"{name(path)}: no SPDX line among its first two")
        self.assertFalse(wrong, "\n" + "\n".join(wrong))

    def test_header_guards(self):
        guards = {}
        for path in source_files("src", "include"):
            if path.suffix != ".h":
                continue
            text = path.read_text()
            guard = re.search(r"^#ifndef (\w+)\n#define \1\b", text, re.MULTILINE)
            if guard is None:
                # A file that is included several times on purpose says so.
                self.assertIn("included", text[:800], f"{name(path)} has no guard")
                continue
            guards.setdefault(guard.group(1), []).append(name(path))
        twice = [paths for paths in guards.values() if len(paths) > 1]
        self.assertFalse(twice, "\n" + "\n".join(map(str, twice)))


class Library(unittest.TestCase):
    # What a library must not do behind its user's back: print, exit, allocate around the context's allocator.
    FORBIDDEN = re.compile(r"(?<![\w.>])(printf|puts|putchar|exit|abort|malloc|calloc|realloc|strdup|free)\s*\(")
    # The one place that hands out the C library's memory.
    ALLOWED = {"src/base/context.c": {"free"}}

    @staticmethod
    def code_only(text):
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
        text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
        return re.sub(r"//[^\n]*", "", text)

    def test_the_library_neither_prints_nor_exits_nor_allocates_on_its_own(self):
        wrong = []
        for path in source_files("src"):
            for number, line in enumerate(self.code_only(path.read_text()).splitlines(), 1):
                for word in self.FORBIDDEN.findall(line):
                    if word not in self.ALLOWED.get(name(path), set()):
                        wrong.append(f"{name(path)}:{number}: {word}")
        self.assertFalse(wrong, "\n" + "\n".join(wrong))


if __name__ == "__main__":
    unittest.main()
