# SPDX-License-Identifier: Apache-2.0
"""Reports: what is in them, with and without gnuplot, that text stays text, and how they look in a real browser."""
import calendar
import json
import os
import re
import shutil
import struct
import subprocess
import time
import unittest
from html.parser import HTMLParser

from program import ProgramTest, environment

CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
GNUPLOT = shutil.which("gnuplot")
VOID = {"meta", "link", "br", "img", "input"}


class Page(HTMLParser):
    """Text, elements and sections of a page; that what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.sections, self.elements, self.captions, self.words = [], [], {}, [], []
        self.attributes = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements[tag] = self.elements.get(tag, 0) + 1
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag == "section" and dict(attributes).get("id"):
            self.sections.append(dict(attributes)["id"])
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.attributes += [(tag, *pair) for pair in attributes]

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing, at {self.getpos()}")

    def handle_data(self, data):
        self.words.append(data)
        if self.stack and self.stack[-1] == "figcaption":
            self.captions.append(data)

    @property
    def text(self):
        return " ".join(self.words)


class ReportTest(ProgramTest):
    def train(self, out, *words, recipe="tiny.yaml"):
        self.good("train", recipe, "--out", out, "--quiet", *words)

    def page(self, name="report.html"):
        text = self.path(name).read_text(encoding="utf-8")
        page = Page(text)
        self.assertEqual(page.stack, [], "elements are left open")
        ids = [value for _, name, value in page.attributes if name == "id"]
        self.assertEqual(len(ids), len(set(ids)), "identifiers are there twice")
        for tag, key, value in page.attributes:
            if key in ("src", "href", "xlink:href"):
                self.assertRegex(value, r"\A(#|data:)", f"{tag} needs more than the file")
        return page

    def without_gnuplot(self):
        self.addCleanup(os.environ.update, PATH=os.environ["PATH"])
        os.environ["PATH"] = str(self.folder)


class Content(ReportTest):
    def test_two_runs(self):
        self.train("a")
        self.train("b", "--set", "student.kind=ann", "--set", "student.timesteps=1", recipe="small.yaml")
        result = self.good("report", "a", "b/")
        self.assertEqual(result.out, "report.html: report of 2 runs\n")
        page = self.page()
        self.assertEqual(page.sections,
                         ["summary", "fronts", "training", "rates", "activity", "energy", "mistakes", "recipes",
                          "environment"])
        links = [value[1:] for tag, key, value in page.attributes if (tag, key) == ("a", "href")]
        self.assertEqual(links, [*page.sections, "energy"])  # the last in the summary's note
        record = json.loads(self.path("a/result.json").read_text())
        self.assertIn(f"{100 * record['test_accuracy']:.2f}\u202f%", page.text)
        for caption in ("Training loss", "Validation accuracy", "Firing rate of each layer", "By operations",
                        "Energy of each run by each model", "Membranes of each layer", "Weights of each layer"):
            self.assertIn(caption, page.captions)
        for sample in json.loads(self.path("a/activity.json").read_text())["samples"]:
            end = "correct" if sample["class"] == sample["taken_for"] else f"taken for {sample['taken_for']}"
            for what in ("Spikes", "Membranes"):
                self.assertIn(f"{what}: picture {sample['index']}, class {sample['class']}, {end}", page.captions)
        self.assertIn("train.epochs", page.text)  # 2 and 3: a difference between the recipes
        self.assertIn("mark", page.elements)
        mistakes = json.loads(self.path("a/mistakes.json").read_text())
        total = sum(map(sum, mistakes["confusion"]))
        right = sum(mistakes["confusion"][i][i] for i in range(10))
        self.assertEqual((total, mistakes["samples"]), (60, 60))
        self.assertAlmostEqual(right / total, record["test_accuracy"])
        confidences = [picture["confidence"] for picture in mistakes["pictures"]]
        self.assertEqual(confidences, sorted(confidences, reverse=True))
        self.assertTrue(all(len(picture["pixels"]) == 2 * 28 * 28 for picture in mistakes["pictures"]))
        self.assertGreaterEqual(page.elements["img"], len(confidences))
        if GNUPLOT:
            self.assertNotIn("gnuplot was not there", page.text)
            self.assertEqual(page.elements["svg"], page.elements["figure"] + 1)  # and the marks
            self.assertEqual(page.elements["desc"], page.elements["figure"])
            self.assertNotRegex(self.path("report.html").read_text(), r"rgb\(|@\d+@")

    def test_the_same_again_and_elsewhere(self):
        self.train("a")
        self.good("report", "a", "--quiet")
        first = self.path("report.html").read_bytes()
        shutil.copytree(self.path("a"), self.path("far/a"))
        for name in ("checkpoint.safetensors", "best.safetensors"):
            self.path("far/a/" + name).unlink()
        result = self.good("report", "far/a", "--out", "again.html", "--quiet")
        self.assertEqual((result.out, result.err), ("", ""))
        self.assertEqual(self.path("again.html").read_bytes().replace(b"far/a", b"a"), first)

    def test_without_gnuplot_there_are_tables(self):
        self.train("a")
        self.without_gnuplot()
        result = self.good("report", "a")
        self.assertEqual(result.err, "gnuplot is not installed, so the report has tables instead of figures\n")
        page = self.page()
        self.assertIn("gnuplot was not there", page.text)
        self.assertNotIn("svg", page.elements)
        self.assertNotIn("numbers", [value for _, key, value in page.attributes if key == "class"])
        lines = [json.loads(line) for line in self.path("a/history.jsonl").read_text().splitlines()]
        self.assertIn("%.4g" % lines[1]["train_loss"], page.text)

    def test_sweeps_and_stages(self):
        self.good("sweep", "tiny.yaml", "--vary", "student.timesteps=1,2", "--seeds", 2, "--out", "s", "--quiet")
        self.train("a")
        result = self.good("report", "s", "a")
        self.assertIn("5 runs", result.out)
        page = self.page()
        self.assertIn("means", page.sections)
        self.assertIn("spikes_per_inference_mean", page.text)
        self.write("stages.yaml", "data: {name: digits, digits_train: 100, digits_test: 40}\n"
                                  "train: {epochs: 1, batch: 20}\nstages:\n"
                                  "  - {name: one, recipe: {student: {kind: ann, model: mlp, hidden: 8}}}\n"
                                  "  - {name: two, recipe: {student: {model: mlp, hidden: 8}, teacher: 'stage:one',\n"
                                  "     distill: [{method: kd}]}}\n")
        self.good("train", "stages.yaml", "--out", "st", "--quiet")
        self.assertIn("2 runs", self.good("report", "st").out)
        self.assertIn("two", self.page().text)

    def test_a_run_under_way(self):
        self.train("a")
        for name in ("result.json", "costs.json"):
            self.path("a/" + name).unlink()
        with open(self.path("a/history.jsonl"), "ab") as file:
            file.write(b'{"epoch": 3, "train_lo')  # what a kill leaves
        self.good("report", "a")
        page = self.page()
        self.assertIn("1 of these runs is not complete", page.text)
        self.assertIn("2 of", page.text)
        self.assertIn("1 of 1 runs have no", page.text)

    def test_five_runs_in_less_than_five_seconds(self):
        self.train("r0", recipe="small.yaml")
        for i in range(1, 5):
            shutil.copytree(self.path("r0"), self.path(f"r{i}"))
        start = time.monotonic()
        self.good("report", *(f"r{i}" for i in range(5)))
        self.assertLess(time.monotonic() - start, 5)


class Events(ReportTest):
    """TensorBoard event files, read by a reader of our own."""

    @staticmethod
    def checksum(data):
        table = []
        for i in range(256):
            for _ in range(8):
                i = i >> 1 ^ (0x82f63b78 if i & 1 else 0)
            table.append(i)
        crc = 0xffffffff
        for byte in data:
            crc = crc >> 8 ^ table[(crc ^ byte) & 255]
        crc ^= 0xffffffff
        return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff

    @staticmethod
    def fields(data):
        """(number, value) of each field of a message."""
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                value |= (data[at] & 127) << shift
                shift += 7
                at += 1
                if data[at - 1] < 128:
                    return value
        while at < len(data):
            key = varint()
            if key & 7 == 0:
                yield key >> 3, varint()
                continue
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            yield key >> 3, data[at:at + size]
            at += size
        assert at == len(data)

    def events(self, path):
        data, events = path.read_bytes(), []
        while data:
            size, length_sum = struct.unpack("<QI", data[:12])
            event, (event_sum,) = data[12:12 + size], struct.unpack("<I", data[12 + size:16 + size])
            self.assertEqual((length_sum, event_sum), (self.checksum(data[:8]), self.checksum(event)))
            events.append(dict(self.fields(event)))
            data = data[16 + size:]
        return events

    def scalars(self, event):
        values = {}
        for _, value in self.fields(event[5]):
            value = dict(self.fields(value))
            values[value[1].decode()] = struct.unpack("<f", value[2])[0]
        return values

    def test_history(self):
        self.train("a")
        self.train("deep/a")
        for _ in range(2):  # the second time replaces the first
            result = self.good("report", "a", "deep/a", "--tensorboard", "board")
        self.assertEqual(result.out, "report.html: report of 2 runs\n")
        self.assertEqual(sorted(os.listdir(self.path("board"))), ["a", "deep_a"])
        for folder in ("a", "deep_a"):
            (name,) = os.listdir(self.path("board/" + folder))
            self.assertRegex(name, r"\Aevents\.out\.tfevents\.\d{10}\.")
        events = self.events(self.path("board/deep_a") / name)
        lines = [json.loads(line) for line in self.path("deep/a/history.jsonl").read_text().splitlines()]
        self.assertEqual(events[0][3], b"brain.Event:2")
        self.assertEqual([event[2] for event in events[1:]], [1, 2])
        started = json.loads(self.path("deep/a/environment.json").read_text())["started"]
        moment = calendar.timegm(time.strptime(started, "%Y-%m-%dT%H:%M:%SZ"))
        self.assertEqual(struct.unpack("<d", events[0][1])[0], moment)
        self.assertIn(str(moment), name)
        times = [struct.unpack("<d", event[1])[0] for event in events]
        self.assertEqual(times, sorted(times))
        for event, line in zip(events[1:], lines):
            scalars = self.scalars(event)
            for tag, value in (("loss/train", line["train_loss"]), ("accuracy/validation", line["validation_accuracy"]),
                               ("learning_rate", line["learning_rate"]),
                               ("parts/cross_entropy", line["parts"]["cross_entropy"])):
                self.assertAlmostEqual(scalars[tag], value, delta=1e-6 * abs(value))
            for layer, rate in line["firing_rate"].items():
                self.assertAlmostEqual(scalars["firing_rate/" + layer], rate, places=6)
            self.assertEqual("accuracy/test" in scalars, line is lines[-1])
        record = json.loads(self.path("deep/a/result.json").read_text())
        self.assertAlmostEqual(self.scalars(events[2])["accuracy/test"], record["test_accuracy"], places=6)

    def test_where_it_cannot_be_written(self):
        self.train("a")
        self.write("file", "")
        self.bad(1, ["report", "a", "--tensorboard", "file"], "file")
        self.assertFalse(self.path("report.html").exists())


class Text(ReportTest):
    EVIL = "<script>document.title='broken'</script>&\"'><img src=x onerror=\"document.title='broken'\">"

    def test_text_stays_text(self):
        folder = self.EVIL.replace("/", "|")
        self.train("a")
        shutil.copytree(self.path("a"), self.path(folder))
        recipe = self.path(folder) / "recipe.yaml"
        recipe.write_text(re.sub(r"(?m)^name: .*$", lambda _: "name: " + json.dumps(self.EVIL), recipe.read_text(), count=1))
        costs = json.loads((self.path(folder) / "costs.json").read_text())
        costs["layers"][0]["name"] = self.EVIL
        costs["data"] = self.EVIL
        (self.path(folder) / "costs.json").write_text(json.dumps(costs))
        history = (self.path(folder) / "history.jsonl").read_text()
        (self.path(folder) / "history.jsonl").write_text(history.replace(
            '"cross_entropy"', json.dumps(self.EVIL) + ': 1.0, "cross_entropy"'))
        environment_record = json.loads((self.path(folder) / "environment.json").read_text())
        environment_record[self.EVIL] = self.EVIL
        (self.path(folder) / "environment.json").write_text(json.dumps(environment_record))
        self.good("report", "a", folder)
        page = self.page()
        self.assertNotIn("script", page.elements)
        self.assertFalse([a for a in page.attributes if a[1].startswith("on")])
        self.assertGreaterEqual(page.text.count("document.title='broken'"), 4)


class Wrong(ReportTest):
    def test_what_is_no_run(self):
        self.train("a")
        self.path("empty").mkdir()
        self.bad(1, ["report", "missing"], "missing: is no folder, expected a run directory or a sweep's folder")
        self.bad(1, ["report", "a", "empty"], "empty: holds neither a run nor a sweep")
        self.bad(1, ["report", "a", "a/"], "a: is given twice")
        self.bad(1, ["report", "a", "--out", "no/where/report.html"], "no/where/report.html")
        self.bad(2, ["report"], "report needs RUN...")

    def wrong_fields(self, name, changes):
        text = self.path("a/" + name).read_text()
        for change, sentence in changes:
            record = json.loads(text)
            change(record)
            shutil.rmtree(self.path("b"), ignore_errors=True)
            shutil.copytree(self.path("a"), self.path("b"))
            self.write("b/" + name, json.dumps(record))
            self.bad(1, ["report", "b"], f"b/{name}: ", sentence)

    def test_half_a_record(self):
        self.train("a")
        for name in ("result.json", "costs.json", "environment.json", "mistakes.json", "activity.json"):
            shutil.rmtree(self.path("b"), ignore_errors=True)
            shutil.copytree(self.path("a"), self.path("b"))
            data = self.path("b/" + name).read_bytes()
            self.write("b/" + name, data[:len(data) // 2])
            self.bad(1, ["report", "b"], f"b/{name}: line ", "not valid JSON")
        shutil.copytree(self.path("a"), self.path("c"))
        self.write("c/history.jsonl", b'{"epoch": 1}\n{"epoch"\n')
        self.bad(1, ["report", "c"], "line 2 of the record: c/history.jsonl: ")
        self.write("c/history.jsonl", b"[1]\n")
        self.bad(1, ["report", "c"], "is no JSON object")
        self.wrong_fields("activity.json", [
            (lambda r: r.update(version=2), "version is a number out of range, expected a whole number from 1 to 1"),
            (lambda r: r["samples"][0]["layers"][0]["spikes"].__setitem__(1, "012"),
             "samples[0].layers[0].spikes[1] is no text of 2 digits 0 and 1"),
            (lambda r: r["samples"][0]["layers"][0].update(membranes=[]), "membranes has 0 entries, expected 3 to 3"),
            (lambda r: r["weights"]["layers"][1]["full"].pop(), "weights.layers[1].full has 80 entries, expected 81 to 81"),
            (lambda r: r["weights"].update(high=-4), "weights.high is a number out of range, expected a whole number")])
        self.wrong_fields("mistakes.json", [
            (lambda r: r["confusion"][3].append(0), "confusion[3] is no list of 10 counts"),
            (lambda r: r["pictures"][0].update(height=10**6), "pictures[0].height is a number out of range"),
            (lambda r: r["pictures"][0].update(pixels="00"), "pictures[0].pixels is no text of 1568 hexadecimal digits"),
            (lambda r: r.pop("pictures"), "pictures is nothing, expected a list")])
        self.path("s").mkdir()
        self.write("s/sweep.csv", "seed,run\n1,../a\n")
        self.bad(1, ["report", "s"], "s/sweep.csv: '1,../a' does not end in a run's directory")


@unittest.skipUnless(CHROMIUM, "no chromium here: the report is not opened in a browser")
class Browser(ReportTest):
    def browse(self, page, *more):
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
                   f"--user-data-dir={self.path('profile')}", "--window-size=1300,900", *more, "--dump-dom",
                   self.path(page).as_uri()]
        result = subprocess.run(command, capture_output=True, timeout=120, env=environment(), check=False)
        return result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")

    def look(self, name, width, *more):
        """What a script of ours sees in the page in a frame of that width (a window cannot be as narrow as a
        telephone)."""
        text = re.sub(r"<meta http-equiv=Content-Security-Policy[^>]*>", "", self.path(name).read_text(encoding="utf-8"))
        look = ("<script>addEventListener('load',()=>{const d=document,r=d.documentElement;"
                "d.querySelectorAll('details').forEach(e=>e.open=true);"
                "const svg=[...d.querySelectorAll('svg.drawing')];"
                "parent.postMessage(JSON.stringify({scroll:r.scrollWidth,client:r.clientWidth,drawings:svg.length,"
                "empty:svg.filter(s=>s.getBBox().width<100||s.querySelectorAll('path,use,polygon,rect').length<3).length,"
                "paper:getComputedStyle(d.body).backgroundColor}),'*')})</script>")
        self.write("look.html", text.replace("</body>", look + "</body>"))
        self.write("frame.html", "<!DOCTYPE html><title>nothing</title><script>addEventListener('message',"
                                 f"e=>document.title=e.data)</script><iframe width={width} height=800 style='border:0' "
                                 "src=look.html></iframe>")
        out, err = self.browse("frame.html", *more)
        title = re.search(r"<title>(\{.*?\})</title>", out)
        self.assertTrue(title, err[-2000:])
        return json.loads(title.group(1).replace("&quot;", '"'))

    def test_opened(self):
        self.train("a-run-with-a-rather-long-name-that-needs-room-" + "x" * 60)
        self.train("b", recipe="small.yaml")
        self.good("report", "a-run-with-a-rather-long-name-that-needs-room-" + "x" * 60, "b")
        figures = self.page().elements["figure"]
        for width in (390, 1200):
            look = self.look("report.html", width)
            self.assertEqual(look["client"], width)
            self.assertLessEqual(look["scroll"], width, "the page scrolls sideways")
            self.assertEqual((look["drawings"], look["empty"]), (figures if GNUPLOT else 0, 0))
        dark = self.look("report.html", 390, "--blink-settings=preferredColorScheme=0")
        self.assertEqual(dark["paper"], "rgb(21, 23, 27)")
        out, err = self.browse("report.html")
        self.assertIn("</footer>", out)
        self.assertEqual([line for line in err.splitlines() if "CONSOLE" in line], [])


if __name__ == "__main__":
    unittest.main()
