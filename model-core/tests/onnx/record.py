"""Records what `mlflow.onnx.save_model` writes for models that skl2onnx converted, and what `mlflow.pyfunc` answers.

    python record.py FOLDER [SEED]

makes one folder per case: MLflow's `MLmodel` and `model.onnx`, and `expected.json` with rows and answers. The folders beside
this file were recorded with seed 0 by mlflow 3.17.2, skl2onnx 1.20.0, scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0.
"""

import json
import pathlib
import shutil
import sys
import tempfile
import warnings

import mlflow
import numpy as np
import onnx
import pandas as pd
from mlflow.models import infer_signature
from skl2onnx import to_onnx
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
folder = pathlib.Path(sys.argv[1])
random = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)

ROWS = 24
single, double, whole = np.float32, np.float64, np.int64
columns = pd.DataFrame(random.normal(size=(300, 4)) * [1, 10, 0.1, 50] + [5, 0, 0, 200], columns=list("abcd"))
noise = random.normal(size=300)
number = columns.values @ [3.0, -0.2, 20.0, 0.05] + 7 + noise
order = np.digitize(columns.a - 5 + columns.b / 20 + noise / 4, [-0.7, 0.7])
three, two = np.array(["Adelie", "Chinstrap", "Gentoo"])[order], (order > 1).astype(np.int64)
gaps = columns.mask(random.random(columns.shape) < 0.1)
counts = columns.round().astype(np.int64)


def labels_and_probabilities(session, feed):
    """Returns the label of each row and, where there are any, the probabilities as a table, in whatever form they come."""
    label, *rest = session.run(None, feed)
    if rest and isinstance(rest[0], list):
        rest = [np.array([list(row.values()) for row in rest[0]])]
    return label.ravel().tolist(), np.column_stack(rest).astype(float).tolist() if rest else None


def case(name, model, data, target, element, **options):
    model.fit(data.values.astype(np.float64), target)
    graph = to_onnx(model, data.values[:1].astype(element), options=options or None)
    record(name, graph, data, target, element)


def record(name, graph, data, target, element, **how):
    rows = data.head(ROWS if data.shape[1] < 10 else 4)
    place = folder / name
    with tempfile.TemporaryDirectory() as parent:
        path = pathlib.Path(parent, "model")
        mlflow.onnx.save_model(graph, path, signature=infer_signature(data, target), pip_requirements=["onnx"], **how)
        place.mkdir(parents=True)
        for file in path.iterdir():
            if file.suffix not in (".txt", ".yaml"):
                shutil.copy(file, place)
        # What pyfunc does, without the data frame that it cannot make of a table of probabilities.
        session = mlflow.pyfunc.load_model(str(path))._model_impl.rt
    feed = {session.get_inputs()[0].name: rows.values.astype(element)}
    expected = {"rows": [[None if value != value else value for value in row] for row in rows.values.tolist()]}
    if len(session.get_outputs()) == 1:
        expected["numbers"] = session.run(None, feed)[0].ravel().astype(float).tolist()
    else:
        expected["labels"], expected["probabilities"] = labels_and_probabilities(session, feed)
    (place / "expected.json").write_text(json.dumps(expected) + "\n")


def refused(name, model, element, **options):
    """Records a graph that is not one of a linear or logistic model."""
    case(name, model, columns, three, element, **options)


shutil.rmtree(folder / "cases", ignore_errors=True)
folder = folder / "cases"
case("linear_single", LinearRegression(), columns, number, single)
case("linear_double", LinearRegression(), columns, number, double)
case("linear_whole", LinearRegression(), counts, number, whole)
case("linear_scaled_single", make_pipeline(StandardScaler(), LinearRegression()), columns, number, single)
case("linear_scaled_double", make_pipeline(StandardScaler(), LinearRegression()), columns, number, double)
case("linear_min_max", make_pipeline(MinMaxScaler(), LinearRegression()), columns, number, single)
case("linear_imputed", make_pipeline(SimpleImputer(), StandardScaler(), LinearRegression()), gaps, number, single)
for name, target in [("text", three), ("whole", order), ("binary", two)]:
    case(f"logistic_{name}_zipmap", LogisticRegression(), columns, target, single)
    case(f"logistic_{name}_plain", LogisticRegression(), columns, target, single, zipmap=False)
    case(f"logistic_{name}_columns", LogisticRegression(), columns, target, single, zipmap="columns")
    case(f"logistic_{name}_double", LogisticRegression(), columns, target, double, zipmap=False)
scaled = make_pipeline(StandardScaler(), LogisticRegression())
case("logistic_scaled_single", scaled, columns, three, single)
case("logistic_scaled_double", scaled, columns, three, double, zipmap=False)
case("logistic_scores", LogisticRegression(), columns, order, single, zipmap=False, raw_scores=True)
refused("refused_tree", DecisionTreeClassifier(max_depth=2), single, zipmap=False)
refused("refused_one_vs_rest", OneVsRestClassifier(LogisticRegression()), single, zipmap=False)

# Large constants beside the graph: MLflow asks for it, and onnx does it where the bytes are raw.
wide = pd.DataFrame(random.normal(size=(40, 150)), columns=[f"c{at}" for at in range(150)])
total = wide.values.sum(axis=1)
graph = to_onnx(LinearRegression().fit(wide.values, total), wide.values[:1])
for constant in graph.graph.initializer:
    if constant.double_data:
        constant.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(constant), constant.name))
record("linear_beside", graph, wide, total, double)
