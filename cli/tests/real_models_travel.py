"""The Python side of real_models_travel.rs.

    python real_models_travel.py SERVER log PREFIX         logs a linear and a logistic model with mlflow.onnx, each as champion
    python real_models_travel.py SERVER predict URI ROWS   what mlflow.pyfunc answers for a table {"columns": [...], "data": [...]}

Prints JSON as its last line.
"""

import json
import sys
import warnings

import mlflow
import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def log(prefix):
    from mlflow.models import infer_signature
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression, LogisticRegression

    random = np.random.default_rng(3)
    table = pd.DataFrame(random.normal(size=(200, 3)), columns=["a", "b", "c"])
    targets = {"linear": table.values @ [3.0, -2.0, 0.5] + 7, "logistic": np.where(table.a + table.b > 0, "yes", "no")}
    told = {}
    for kind, model in [("linear", LinearRegression()), ("logistic", LogisticRegression())]:
        model.fit(table.values, targets[kind])
        graph = to_onnx(model, table.values[:1], options={"zipmap": False} if kind == "logistic" else None)
        name = f"{prefix}-{kind}"
        with mlflow.start_run():
            mlflow.onnx.log_model(graph, name="model", registered_model_name=name, signature=infer_signature(table, targets[kind]),
                                  input_example=table.head(2))
        mlflow.MlflowClient().set_registered_model_alias(name, "champion", "1")
        rows = table.head(20)
        told[kind] = {"table": {"columns": list(rows.columns), "data": rows.values.tolist()}, "answers": model.predict(rows.values).tolist()}
    return told


def predict(uri, rows):
    rows = json.loads(rows)
    answers = mlflow.pyfunc.load_model(uri).predict(pd.DataFrame(rows["data"], columns=rows["columns"]))
    if isinstance(answers, pd.DataFrame):
        answers = answers.iloc[:, 0]
    return np.asarray(answers).ravel().tolist()


mlflow.set_tracking_uri(sys.argv[1])
print(json.dumps({"log": log, "predict": predict}[sys.argv[2]](*sys.argv[3:])))
