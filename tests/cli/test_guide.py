# SPDX-License-Identifier: Apache-2.0
"""The guide's listings do what the guide says: recipes parse and build, C programs compile without warnings, and the
shell listings run, in their order and in one folder, against the installed build."""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("SPIKESTILL_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("SPIKESTILL_BUILD_DIR", "."))
SANITIZE = os.environ.get("SPIKESTILL_SANITIZE", "")
FENCE = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Werror"


def listings(name):
    """(line, language, file's name or "", text) of each listing of a document."""
    text = (SOURCE / name).read_text()
    for found in FENCE.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found.group(1), found.group(2).strip(), found.group(3)


class Listings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        program = os.environ.get("SPIKESTILL_PROGRAM")
        if not program or not Path(program).exists():
            raise unittest.SkipTest("this build has no program")
        cls.folder = Path(tempfile.mkdtemp(prefix="spikestill-guide-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        prefix = cls.folder / "installed"
        subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True)
        tools = cls.folder / "tools"
        tools.mkdir()
        # The compiler as a user calls it, with the warnings and what a sanitized library wants.
        compiler = shutil.which("cc") or shutil.which("gcc")
        sanitize = f"-fsanitize={SANITIZE}" if SANITIZE else ""
        (tools / "cc").write_text(f'#!/bin/sh\nexec {shlex.quote(compiler)} {WARNINGS} {sanitize} "$@"\n')
        (tools / "cc").chmod(0o755)
        library = next(prefix.rglob("libspikestill.so")).parent
        cls.environment = dict(os.environ, PATH=f"{tools}:{prefix / 'bin'}:{os.environ['PATH']}",
                               PKG_CONFIG_PATH=str(library / "pkgconfig"), LD_LIBRARY_PATH=str(library))
        cls.environment.pop("SPIKESTILL_DATA", None)
        cls.work = cls.folder / "work"
        cls.work.mkdir()

    def run_here(self, place, *command, code=0):
        done = subprocess.run(command, cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual(done.returncode, code, f"{place}: {shlex.join(command)}\n{done.stdout}")
        return done.stdout

    def check_recipe(self, place, name, text):
        """A whole recipe, or a part of one: then data and network are the simplest there are."""
        if not name:
            for key, line in (("data", "data: {name: digits}"), ("student", "student: {model: cnn}")):
                if not re.search(rf"^{key}:", text, re.MULTILINE):
                    text += line + "\n"
        path = self.work / (name or "part.yaml")
        path.write_text(text)
        if not path.name.startswith("wrong"):
            self.run_here(place, "spikestill", "recipe", path.name)
            if not re.search(r"^stages:", text, re.MULTILINE):  # which are several networks
                self.run_here(place, "spikestill", "inspect", path.name)

    def run_document(self, document, languages=None):
        """Listings of `languages` only; by default all, and then nothing that is not tried may be there."""
        output = ""
        for line, language, name, text in listings(document):
            place = f"{document}:{line}"
            if languages and language not in languages:
                continue
            if language == "yaml":
                self.check_recipe(place, name, text)
            elif language == "c":
                self.assertTrue(name.endswith(".c"), f"{place}: a C listing has a file's name")
                if name.startswith("src/"):  # part of the library: tests/unit/test_guide_method.c compiles and runs it
                    continue
                (self.work / name).write_text(text)
                self.run_here(place, "sh", "-c", f"cc -std=c11 {name} $(pkg-config --cflags --libs spikestill) -o out")
            elif language == "sh":
                output = self.run_here(place, "bash", "-euo", "pipefail", "-c", text)
            elif language == "cmake":
                tried = (SOURCE / "tests/install/consumer/CMakeLists.txt").read_text()
                self.assertLessEqual(set(text.splitlines()), set(tried.splitlines()), f"{place}: not what is tested")
            else:
                self.assertEqual(language, "text", f"{place}: a listing is sh, c, yaml, cmake or text")
                if text.startswith("spikestill: "):  # messages are literal; other output has numbers that vary
                    self.assertEqual(output, text, place)

    def test_guide(self):
        self.run_document("docs/guide.md")

    def test_readme(self):
        self.run_document("README.md", languages={"c", "yaml"})


class Words(unittest.TestCase):
    """The guide, with the page of event data, explains every key of the reference, and every word that a key may have."""

    def setUp(self):
        self.guide = "".join((SOURCE / "docs" / name).read_text() for name in ("guide.md", "events.md"))
        reference = (SOURCE / "docs/recipes.md").read_text()
        # The methods' keys are explained in docs/methods/.
        self.rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", reference.split("## distill")[0], re.MULTILINE)

    def test_every_key(self):
        self.assertGreater(len(self.rows), 50)
        missing = {key for key, _ in self.rows if not re.search(rf"\b{key}\b", self.guide)}
        self.assertFalse(missing)

    def test_every_word(self):
        words = {word for _, value in self.rows for word in re.findall(r"`([\w-]+)`", value)}
        self.assertIn("fast_sigmoid", words)
        missing = {word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", self.guide)}
        self.assertFalse(missing)


class Links(unittest.TestCase):
    def test_links_between_documents_lead_somewhere(self):
        broken = []
        documents = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", SOURCE / "CHANGELOG.md",
                     *sorted((SOURCE / "docs").rglob("*.md"))]
        for document in documents:
            text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                path, _, anchor = target.partition("#")
                if re.match(r"\w+:", target):
                    continue
                linked = (document.parent / path) if path else document
                if not linked.exists():
                    broken.append(f"{document.relative_to(SOURCE)}: {target}")
                elif anchor and linked.suffix == ".md":
                    titles = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
                    if anchor not in {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}:
                        broken.append(f"{document.relative_to(SOURCE)}: {target}")
        self.assertFalse(broken, "\n" + "\n".join(broken))


class Decisions(unittest.TestCase):
    def test_records_are_listed_and_have_their_three_parts(self):
        folder = SOURCE / "docs/decisions"
        records = sorted(folder.glob("[0-9]*.md"))
        index = re.findall(r"\]\(([^)]+)\)", (folder / "README.md").read_text())
        self.assertEqual(index, [record.name for record in records])
        for number, record in enumerate(records, 1):
            text = record.read_text()
            self.assertTrue(record.name.startswith(f"{number:04d}-"), record.name)
            self.assertTrue(text.startswith(f"# {number}. "), record.name)
            self.assertEqual(re.findall(r"^## (.*)$", text, re.MULTILINE), ["Context", "Decision", "Consequences"])


if __name__ == "__main__":
    unittest.main()
