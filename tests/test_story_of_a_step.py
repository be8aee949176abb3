"""From the command line to the gradient tape: the frames that docs/architecture.md lists are those that there are."""

import os
import re
import subprocess
import sys

SCRIPT = """
import os, runpy, sys, traceback
import tensorflow as tf

def stop(tape):
    for frame in traceback.extract_stack():
        print("FRAME", frame.filename, frame.name)
    sys.stdout.flush()
    os._exit(0)

tf.GradientTape.__enter__ = stop
sys.argv = ["train_dcgan.py", "--dataset=mnist_sample", "--steps=1", "--batch_size=4", "--workdir=" + sys.argv[1]]
runpy.run_module("bin.train_dcgan", run_name="__main__")
"""


def test_the_frames_from_the_program_to_the_tape_are_those_of_the_documentation(repo, tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "run")]
    done = subprocess.run(
        command, cwd=repo, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(repo)}
    )
    assert done.returncode == 0, done.stderr
    frames = []
    for file, name in re.findall(r"^FRAME (.+) (\S+)$", done.stdout, re.MULTILINE):
        if file.startswith(str(repo)) and "site-packages" not in file:
            frames.append(name)
        elif "__autograph_generated_file" in file and name.startswith("tf__"):
            frames.append(name.removeprefix("tf__"))
    page = (repo / "docs" / "architecture.md").read_text()
    section = page.partition("## The path of a batch")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| \d\. `(\w+)`", section, re.MULTILINE)
    assert frames == ["<module>", *listed]
    assert len(frames) <= 7
