"""The table of functions against the header, and what loading and forking do."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path

import s2ilgpu
from s2ilgpu import _library, _structures

HEADER = Path(__file__).parents[2] / "src" / "S2ILGPU.Native" / "include" / "s2ilgpu.h"


class InterfaceTests(unittest.TestCase):
    def test_functions_have_the_order_of_the_header(self):
        table = re.search(r"typedef struct s2_api \{.*?\} s2_api;", HEADER.read_text(), re.S)[0]
        self.assertEqual([name for name, _ in _structures.Api._fields_[2:]], re.findall(r"\(\*(\w+)\)", table))

    def test_structures_have_the_fields_of_the_header(self):
        for name in ("Tensor", "Sequence", "Heads", "Stripes", "TwoRange", "PatternInfo", "LayoutInfo", "LayoutReport",
                     "Forward", "Backward", "Merge", "MergeBackward"):
            structure = "s2" + re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), name)
            text = re.search(rf"typedef struct {structure} \{{(.*?)\n\}} {structure};", HEADER.read_text(), re.S)[1]
            text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
            names = [field for line in text.split(";") for field in re.findall(r"\*?(\w+)(?:\[4\])?\s*(?:,|$)", line)]
            self.assertEqual([field for field, _ in getattr(_structures, name)._fields_], names)

    def test_what_cannot_be_loaded_says_why(self):
        for variables, message in (
            ({"S2ILGPU_LIBRARY": "/nowhere.so"}, "no file /nowhere.so"),
            ({"S2ILGPU_LIBRARY": "", "S2ILGPU_RUNTIME": "java"}, "not 'java'"),
            ({"S2ILGPU_LIBRARY": __file__}, "invalid ELF header" if sys.platform == "linux" else ""),
        ):
            run = subprocess.run([sys.executable, "-c", "import s2ilgpu; s2ilgpu.devices()"], capture_output=True,
                                 text=True, env={**os.environ, **variables})
            self.assertNotEqual(run.returncode, 0)
            self.assertIn("OSError", run.stderr)
            self.assertIn(message, run.stderr)

    def test_released_handles_give_an_error(self):
        engine = s2ilgpu.Engine(threads=1)
        handle, engine.handle = engine.handle, 0
        _library.call("release", handle)
        with self.assertRaisesRegex(s2ilgpu.S2Error, "released or never given"):
            _library.call("release", handle)

    @unittest.skipUnless(hasattr(os, "fork"), "this system has no fork")
    def test_a_forked_process_is_refused(self):
        s2ilgpu.devices()
        context = multiprocessing.get_context("fork")
        with context.Pool(1) as pool:
            self.assertIn("start method 'spawn'", pool.apply(_devices))
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            self.assertIn("cpu", pool.apply(_devices))

    def test_a_signal_for_a_forked_process_is_not_ours(self):
        s2ilgpu.devices()
        for _ in range(30):
            process = multiprocessing.get_context("fork").Process(target=signal.pause)
            process.start()
            process.terminate()
            process.join()
            self.assertEqual(-signal.SIGTERM, process.exitcode)


def _devices():
    try:
        return str(s2ilgpu.devices())
    except RuntimeError as error:
        return str(error)


if __name__ == "__main__":
    unittest.main()
