"""Asks a replica through `mlserver infer`, MLServer's batch client; the model adds its three columns up."""

import json
import pathlib
import subprocess
import sys
import tempfile

ROWS = [[5.3, 2.1, 0.8], [0.1, 0.2, -1e-300], [-0.0, 0.0, 1e15]]
NAMES = ["feature1", "feature2", "feature3"]

with tempfile.TemporaryDirectory() as folder:
    asked, answered = pathlib.Path(folder, "asked"), pathlib.Path(folder, "answered")
    lines = []
    for row in ROWS:
        inputs = [{"name": name, "shape": [1, 1], "datatype": "FP64", "data": [cell]} for name, cell in zip(NAMES, row)]
        lines.append(json.dumps({"inputs": inputs}))
    asked.write_text("\n".join(lines))
    # Micro-batches of two: the client puts rows together and takes the answers apart.
    command = ["infer", "-u", sys.argv[1], "-m", "sum", "-i", asked, "-o", answered, "-w", "2", "-s", "2", "-v"]
    run = subprocess.run([sys.executable, "-m", "mlserver.cli", *map(str, command)], capture_output=True, text=True)
    if run.returncode:
        program = pathlib.Path(sys.executable).with_name("mlserver")
        run = subprocess.run([program, *map(str, command)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    answers = [json.loads(line) for line in answered.read_text().splitlines()]
    assert len(answers) == len(ROWS), answers
    given = sorted(answer["outputs"][0]["data"][0] for answer in answers)
    assert given == sorted(row[0] + row[1] + row[2] for row in ROWS), answers
print("fine")
