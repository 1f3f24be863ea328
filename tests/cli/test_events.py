# SPDX-License-Identifier: Apache-2.0
"""Networks on frames of events: training, teachers of the same steps and of one frame, run directories without the data."""
import json
import shutil
import struct
import unittest

from program import SOURCE, ProgramTest

RECIPE = """data: {name: moving-digits, digits_train: 60, digits_test: 20, validation: 0,
       augment: {crop_padding: 2, flip: false, roll: 2, drop_point: 0.2, mixup: 0.1}}
student: {kind: snn, model: mlp, hidden: 24, timesteps: 3}
optimizer: {kind: adamw, learning_rate: 0.002}
train: {epochs: 2, batch: 20}
"""
KD = ["--set", "distill.0={method: kd}"]

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GOLDEN_SPIKES = SOURCE / "tests/golden/shd"


def aedat2(column):
    """AEDAT 2.0: forty events of a DVS128 camera in four columns."""
    records = ((i % 64 << 8 | (column + i % 4) << 1 | i % 2, 1000 * i) for i in range(40))
    return b"#!AER-DAT2.0\r\n# a comment\r\n" + b"".join(struct.pack(">II", *record) for record in records)


def aedat3(count):
    """AEDAT 3.1: a packet of `count` events, one a microsecond."""
    header = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n" + struct.pack("<hh6i", 1, 1, 8, 4, 0, count, count, count)
    return header + b"".join(struct.pack("<II", i % 128 << 17 | i % 100 << 2 | i % 2 << 1 | 1, i) for i in range(count))


class Events(ProgramTest):
    def setUp(self):
        super().setUp()
        self.write("events.yaml", RECIPE)

    def train(self, out, *words):
        self.good("train", "events.yaml", "--out", out, "--quiet", *words)
        return json.loads(self.path(f"{out}/result.json").read_text())

    def test_teachers(self):
        self.train("spiking")
        self.train("ann", "--set", "student.kind=ann", "--set", "student.timesteps=1", "--set", "data.mean=0.5")
        self.train("longer", "--set", "student.timesteps=4")
        self.assertEqual(self.train("student", "--set", "teacher=spiking", *KD)["name"], "events")
        self.train("one_frame", "--set", "teacher=ann", *KD)
        self.bad(1, ["train", "events.yaml", "--out", "run", "--set", "teacher=longer", *KD],
                 "teacher 'longer' sees 4 frames of a recording and the student 3; expected as many, or one")
        self.bad(1, ["train", "events.yaml", "--out", "run", "--set", "student.kind=ann",
                     "--set", "student.timesteps=1", "--set", "teacher=spiking", *KD], "sees 3 frames")

    def test_same_bits_for_any_workers(self):
        for workers in (0, 2):
            self.train(f"run{workers}", "--set", f"data.workers={workers}")
        one, two = (json.loads(self.path(f"{run}/result.json").read_text()) for run in ("run0", "run2"))
        self.assertEqual(one["test_loss"], two["test_loss"])

    def test_encodings_and_sets_belong_together(self):
        self.bad(1, ["recipe", "events.yaml", "--set", "data.encoding=poisson"],
                 "data.encoding is one of pictures, expected frames, but moving-digits has events")
        self.bad(1, ["recipe", "events.yaml", "--set", "data.name=digits", "--set", "data.encoding=frames"],
                 "data.encoding is frames, but digits has pictures")
        self.assertIn("encoding: frames", self.good("recipe", "events.yaml").out)

    def test_info(self):
        answer = self.good("data", "info", "events.yaml", "--json").json
        self.assertEqual((answer["train"]["count"], answer["train"]["frames"]), (60, 3))
        self.assertEqual(answer["test"]["shape"], [34, 34, 2])
        self.assertLess(0.3, answer["train"]["brighter"])
        self.assertLess(answer["train"]["events"]["least"], answer["train"]["events"]["most"])
        self.assertIn("of the events are brighter", self.good("data", "info", "moving-digits",
                                                              "--set", "data.digits_train=20").out)

    def check_set(self, name, train, test, *shape):
        """`data info` counts the set's samples, and a network is trained on it. The answer comes back."""
        self.write(f"{name}.yaml", f"data: {{name: {name}, root: sets, validation: 0, cache: false}}\n"
                                   "student: {kind: snn, model: mlp, hidden: 8, timesteps: 2}\ntrain: {epochs: 1, batch: 2}\n")
        answer = self.good("data", "info", f"{name}.yaml", "--json").json
        self.assertEqual((answer["train"]["count"], answer["test"]["count"]), (train, test))
        self.assertEqual(answer["train"]["shape"], list(shape))
        self.good("train", f"{name}.yaml", "--out", name, "--quiet")
        result = json.loads(self.path(f"{name}/result.json").read_text())
        self.assertTrue(0 <= result["test_accuracy"] <= 1)
        return answer

    def test_cifar10_dvs(self):
        for place, name in enumerate(CIFAR_CLASSES):
            for number in (3, 200, 950):
                self.write(f"sets/CIFAR10DVS/{name}/cifar10_{name}_{number}.aedat", aedat2(4 * place))
        answer = self.check_set("cifar10-dvs", 20, 10, 128, 128, 2)
        self.assertEqual(answer["train"]["names"], list(CIFAR_CLASSES))
        self.assertIn("split: first-100-test", self.good("data", "info", "cifar10-dvs.yaml", "--set",
                                                         "data.split=first-100-test").out)
        self.path("sets/CIFAR10DVS/cat/cifar10_cat_3.aedat").write_bytes(aedat3(4))
        self.bad(1, ["train", "cifar10-dvs.yaml", "--out", "run"], "cat/cifar10_cat_3.aedat: at byte 0: expected #!AER-DAT2")

    def test_dvs128_gesture(self):
        for trial in ("user01_fluorescent", "user02_led", "user24_lab"):
            self.write(f"sets/DvsGesture/{trial}.aedat", aedat3(400))
            self.write(f"sets/DvsGesture/{trial}_labels.csv",
                       "class,startTime_usec,endTime_usec\n1,0,100\n11,150,400\n")
        self.write("sets/DvsGesture/trials_to_train.txt", "user01_fluorescent.aedat\nuser02_led.aedat\n")
        self.write("sets/DvsGesture/trials_to_test.txt", "user24_lab.aedat\n")
        answer = self.check_set("dvs128-gesture", 4, 2, 128, 128, 2)
        self.assertEqual(answer["train"]["per_class"], [2] + 9 * [0] + [2])
        self.assertEqual(answer["train"]["events"], {"least": 100, "median": 250, "most": 250})
        self.path("sets/DvsGesture/trials_to_test.txt").unlink()
        self.bad(1, ["train", "dvs128-gesture.yaml", "--out", "run"], "trials_to_test.txt: is not there")

    def test_shd_and_ssc(self):
        self.write("sets/shd/shd_train.h5", (GOLDEN_SPIKES / "plain.h5").read_bytes())
        self.write("sets/shd/shd_test.h5", (GOLDEN_SPIKES / "chunked.h5").read_bytes())
        shutil.copytree(self.path("sets/shd"), self.path("sets/ssc"))
        self.path("sets/ssc/shd_train.h5").rename(self.path("sets/ssc/ssc_train.h5"))
        self.path("sets/ssc/shd_test.h5").rename(self.path("sets/ssc/ssc_test.h5"))
        self.assertEqual(self.check_set("shd", 7, 7, 1, 700, 1)["train"]["classes"], 20)
        self.assertEqual(self.check_set("ssc", 7, 7, 1, 700, 1)["train"]["classes"], 35)
        # SSC has a validation part of its own, which may be there.
        self.path("sets/ssc/ssc_valid.h5").write_bytes((GOLDEN_SPIKES / "spoken_words.h5").read_bytes())
        words = ["ssc", "--set", "data.root=sets"]
        answer = self.good("data", "info", *words, "--json").json
        self.assertEqual([answer["train"]["count"], answer["train"]["validation"]], [11, 4])
        self.assertIn("the last 4 are the set's own validation part", self.good("data", "info", *words).out)
        self.write("ssc.yaml", "data: {name: ssc, root: sets}\nstudent: {layers: [flatten, linear: {out: 4}, act, linear]}\n")
        self.assertEqual(self.good("eval", "ssc.yaml", "--part", "validation", "--json").json["count"], 4)

    def test_run_without_its_data(self):
        """Classes and sizes of a folder stand in the run's recipe."""
        self.write("folder.yaml", "data: {name: folder, root: gone, classes: 3, height: 20, width: 24}\n"
                                  "student: {kind: snn, model: mlp, hidden: 8}\n")
        answer = self.good("inspect", "folder.yaml", "--json").json
        self.assertEqual(answer["layers"][0]["shape"][-1], 20 * 24 * 3)
        self.bad(1, ["recipe", "folder.yaml", "--set", "data.classes=0"], "gone/train: there is no such folder")


if __name__ == "__main__":
    unittest.main()
