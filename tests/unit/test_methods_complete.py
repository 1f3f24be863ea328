# SPDX-License-Identifier: Apache-2.0
"""What a list names is there in full: each method and each op with all its parts, each public function with a comment."""
import os
import re
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("SPIKESTILL_SOURCE_DIR", Path(__file__).resolve().parents[2]))


def x_list(header, name):
    """The first word of each entry of an X-list."""
    text = (ROOT / header).read_text().replace("\\\n", " ")
    body = re.search(rf"^#define {name}\(X\)(.*)$", text, re.MULTILINE).group(1)
    body = re.sub(r'"(\\.|[^"\\])*"', '""', body)
    return re.findall(r"\bX\((\w+)", body)


def text_of(folder, pattern):
    return {path: path.read_text() for path in sorted((ROOT / folder).glob(pattern))}


class Methods(unittest.TestCase):
    """Five parts: source, entry in the list, page, test, recipe."""

    def setUp(self):
        self.names = x_list("include/spikestill/distill.h", "SST_DISTILL_LIST")
        self.assertIn("kd", self.names)

    def test_source(self):
        for name in self.names:
            source = ROOT / f"src/distill/{name}.c"
            self.assertTrue(source.is_file(), f"{name}: there is no {source.name}")
            text = source.read_text()
            self.assertIn(f"const ssti_distill_method ssti_distill_{name} ", text, source.name)
            head = text[:text.index("#include")]
            self.assertIn("Source", head, f"{source.name}: the comment at its head does not say where the method is from")
            self.assertIn("=", head, f"{source.name}: the comment at its head has no formula")
            self.assertRegex(head, r"(?i)default|our choice", f"{source.name}: its head does not say where defaults are from")

    def test_every_source_that_defines_a_method_is_in_the_list(self):
        defined = {name for text in text_of("src/distill", "*.c").values()
                   for name in re.findall(r"^const ssti_distill_method ssti_distill_(\w+)", text, re.MULTILINE)}
        self.assertEqual(defined, set(self.names))

    def test_page_with_every_key(self):
        sections = re.split(r"^### method: (\w+)$", (ROOT / "docs/recipes.md").read_text(), flags=re.MULTILINE)
        keys_of = {name: set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
                   for name, text in zip(sections[1::2], sections[2::2])}
        index = (ROOT / "docs/methods/README.md").read_text()
        for name in self.names:
            page = ROOT / f"docs/methods/{name}.md"
            self.assertTrue(page.is_file(), f"{name}: there is no docs/methods/{name}.md")
            self.assertIn(f"({name}.md)", index, f"{name} is not in docs/methods/README.md")
            missing = {key for key in keys_of[name] if f"`{key}`" not in page.read_text()}
            self.assertFalse(missing, f"docs/methods/{name}.md does not explain {missing}")

    def test_every_page_belongs_to_a_method(self):
        pages = {path.stem for path in text_of("docs/methods", "*.md")} - {"README"}
        self.assertEqual(pages, set(self.names))

    def test_test(self):
        for name in self.names:
            suite = ROOT / f"tests/unit/test_method_{name}.c"
            self.assertTrue(suite.is_file(), f"{name}: there is no {suite.name}")
            self.assertIn(f'"{name}"', suite.read_text(), f"{suite.name} does not name its method")

    def test_recipe(self):
        used = {name for text in text_of("recipes", "*.yaml").values()
                for name in re.findall(r"^[^#\n]*\bmethod: *(\w+)", text, re.MULTILINE)}
        self.assertFalse(set(self.names) - used, "methods that no recipe of recipes/ uses")


class Ops(unittest.TestCase):
    """A file, a unit test, golden values and a gradient test or golden gradients for each."""

    def setUp(self):
        self.names = x_list("src/op/op.h", "SSTI_OP_LIST")
        self.assertIn("conv2d", self.names)

    def test_file(self):
        for name in self.names:
            source = ROOT / f"src/op/{name}.c"
            self.assertTrue(source.is_file(), f"{name}: there is no {source.name}")
            text = source.read_text()
            self.assertIn(f"const ssti_op ssti_op_{name} ", text, source.name)
            entry = text[text.index(f"const ssti_op ssti_op_{name} "):]
            parts = ["infer", "forward", "cost"] + ([] if name in ("stop_gradient", "head_mask") else ["backward"])
            for part in parts:
                self.assertRegex(entry, rf"\.{part} = (?!NULL)", f"{source.name}: no {part}")

    def test_every_file_belongs_to_an_op(self):
        """Of the list, or of those that compiling makes of several, which are declared beside it."""
        headers = "\n".join(text_of("src/op", "*.h").values())
        fused = re.findall(r"^extern const ssti_op ssti_op_(\w+);", headers, re.MULTILINE)
        self.assertEqual({path.stem for path in text_of("src/op", "*.c")}, set(self.names) | set(fused))

    def test_unit_test(self):
        unit = "\n".join(text_of("tests/unit", "*.c").values())
        missing = [name for name in self.names if f"ssti_op_{name}" not in unit]
        self.assertFalse(missing, "ops that no unit test calls")

    def test_golden_values(self):
        golden = "\n".join(text_of("tests/golden", "test_*.c").values()) + "\n".join(
            text_of("tests/golden", "make_*.py").values())
        missing = [name for name in self.names if not re.search(rf"\b{name}\b", golden)]
        self.assertFalse(missing, "ops without golden values")

    def test_every_function_of_ops_h_is_used_by_a_test(self):
        tests = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.[ch]")))
        declared = re.findall(r"^SST_API sst_value (sst_\w+)\(", (ROOT / "include/spikestill/ops.h").read_text(),
                              re.MULTILINE)
        self.assertGreater(len(declared), 30)
        missing = [name for name in declared if not re.search(rf"\b{name}\b", tests)]
        self.assertFalse(missing, "functions that no test calls")


class Comments(unittest.TestCase):
    FUNCTION = re.compile(r"(SST_MUST_CHECK )?SST_API ")

    def undocumented(self, path):
        """Public functions without a comment behind them, above them, or above the row of functions they stand in."""
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            if not self.FUNCTION.match(line):
                continue
            last = next(i for i in range(number, len(lines)) if ";" in lines[i])
            if "//" in lines[last] or self.covered(lines, number - 1):
                continue
            yield f"{path.name}:{number + 1}: {line}"

    def covered(self, lines, at):
        """Goes up over whole declarations of functions until a comment, or something else."""
        while at >= 0:
            if lines[at].startswith("//"):
                return True
            first = at
            while first > 0 and lines[first].startswith(" ") and ";" not in lines[first - 1]:
                first -= 1
            if not (self.FUNCTION.match(lines[first]) or re.match(r"typedef .*\(", lines[first])):
                return False
            at = first - 1
        return False

    def test_every_public_function_has_a_comment(self):
        missing = [place for path in text_of("include/spikestill", "*.h") for place in self.undocumented(path)]
        self.assertFalse(missing, "\n" + "\n".join(missing))


if __name__ == "__main__":
    unittest.main()
