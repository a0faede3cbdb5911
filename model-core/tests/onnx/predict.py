"""Answers rows with `mlflow.pyfunc.load_model`: for each folder, `rows.json` goes in and `answers.json` comes out.

    python predict.py FOLDER...
"""

import json
import pathlib
import sys
import warnings

import mlflow
import onnx
import pandas as pd

warnings.filterwarnings("ignore")
PANDAS = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}

for folder in map(pathlib.Path, sys.argv[1:]):
    onnx.checker.check_model(mlflow.onnx.load_model(str(folder)), full_check=True)
    model = mlflow.pyfunc.load_model(str(folder))
    schema = model.metadata.get_input_schema()
    rows = json.loads((folder / "rows.json").read_text())
    frame = pd.DataFrame(rows, columns=schema.input_names())
    # Text columns keep the type that pandas gives them.
    types = {column.name: PANDAS.get(column.type.name) for column in schema.inputs}
    frame = frame.astype({name: kind for name, kind in types.items() if kind})
    answer = model.predict(frame)
    (folder / "answers.json").write_text(json.dumps({name: answer[name].tolist() for name in answer.columns}))
