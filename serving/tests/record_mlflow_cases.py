"""Records what MLflow's scoring server answers, as JSON on standard output: what `the_mlflow_contract` compares with.

    pip install mlflow==3.17.2 scikit-learn
    python tests/record_mlflow_cases.py > tests/mlflow_cases.json

The model adds its three columns up, as the model of the test does. Of an error only the status and the beginning of the
message up to the first thing that depends on Python's own words is kept.
"""

import json
import logging
import sys
import tempfile
import threading
import time

import mlflow
import mlflow.pyfunc.scoring_server as scoring_server
import numpy
import requests
import uvicorn
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import LinearRegression

ROW = {"feature1": 1, "feature2": 2.5, "feature3": -3e-2}
OTHER = {"feature3": 3, "feature2": 20, "feature1": 100}
NAMES = ["feature1", "feature2", "feature3"]


def split(data, columns=NAMES, **more):
    return {"dataframe_split": {"columns": columns, "data": data, **more}}


BODIES = {
    "records": {"dataframe_records": [ROW, OTHER]},
    "records with another column": {"dataframe_records": [{**ROW, "extra": [1]}]},
    "records with params": {"dataframe_records": [ROW], "params": {"a": 1}},
    "records with another member": {"dataframe_records": [ROW], "other": 1},
    "records without a column": {"dataframe_records": [{"feature1": 1, "feature2": 2}]},
    "records with null": {"dataframe_records": [{**ROW, "feature3": None}]},
    "records with a numeric text and a boolean": {"dataframe_records": [{"feature1": "1.5", "feature2": True, "feature3": 3}]},
    "records with text": {"dataframe_records": [{**ROW, "feature1": "abc"}]},
    "records with a list in a cell": {"dataframe_records": [{**ROW, "feature1": [1]}]},
    "records as lists": {"dataframe_records": [[1, 2, 3]]},
    "records as a dictionary": {"dataframe_records": {"feature1": 1}},
    "records as a number": {"dataframe_records": 3},
    "no records": {"dataframe_records": []},
    "split": split([[1, 2, 3], [4, 5, 6]]),
    "split in another order": split([[1, 2, 3]], ["feature2", "feature3", "feature1"]),
    "split with another column": split([[1, 2, "x", 3]], ["feature2", "feature3", "x", "feature1"]),
    "split with an index": split([[1, 2, 3]], index=[7]),
    "split as a list": {"dataframe_split": [1]},
    "split as a number": {"dataframe_split": 3},
    "split without data": {"dataframe_split": {"columns": NAMES}},
    "split without columns": {"dataframe_split": {"data": [[1, 2, 3]]}},
    "split with another member": split([[1, 2, 3]], other=[7]),
    "split with a short row": split([[1, 2]]),
    "split with a long row": split([[1, 2, 3, 4]]),
    "split with a short second row": split([[1, 2, 3], [1, 2]]),
    "split without rows": split([]),
    "split with a missing column": split([[1, 2]], ["feature1", "feature2"]),
    "instances": {"instances": [ROW, OTHER]},
    "instances as columns": {"instances": {name: [1, 2] for name in NAMES}},
    "instances with columns of two lengths": {"instances": {"feature1": [1, 2], "feature2": [2], "feature3": [3]}},
    "instances without names": {"instances": [[1, 2, 3]]},
    "instances as numbers": {"instances": [1, 2, 3]},
    "no instances": {"instances": []},
    "inputs as columns": {"inputs": {"feature3": [1, 2], "feature2": [3, 4], "feature1": [5, 6]}},
    "inputs as one row": {"inputs": ROW},
    "inputs as records": {"inputs": [ROW]},
    "inputs without names": {"inputs": [[1, 2, 3]]},
    "inputs with columns of two lengths": {"inputs": {"feature1": [1, 2], "feature2": [2], "feature3": [3]}},
    "no inputs": {"inputs": []},
    "inputs of nothing": {"inputs": {}},
    "two forms": {"inputs": [], "instances": []},
    "no form": {},
    "another member alone": {"other": 1},
    "a list": [1],
    "a number": 3,
}

TEXTS = {
    "nothing": "",
    "half a dictionary": "{",
    "not JSON": "feature1=1",
    "duplicate members": '{"dataframe_records": [{"feature1": 1, "feature2": 2, "feature3": 3, "feature1": 10}]}',
    "exact numbers": '{"dataframe_records": [{"feature1": 0.1, "feature2": 0.2, "feature3": 1e-300}]}',
}

CSV = {
    "csv": "feature1,feature2,feature3\n1,2.5,-3e-2\n100,20,3\n",
    "csv in another order": "feature3,feature1,x,feature2\n3,1,q,2\n",
    "csv with quotes and CRLF": '"feature1","feature2","feature3"\r\n"1","2","3"\r\n',
    "csv with a short line": "feature1,feature2,feature3\n1,2\n",
    "csv with text": "feature1,feature2,feature3\n1,2,x\n",
    "csv with a missing cell": "feature1,feature2,feature3\n1,,3\n",
    "csv without a column": "feature1,feature2\n1,2\n",
    "csv without rows": "feature1,feature2,feature3\n",
    "csv of nothing": "",
}

TYPES = {
    "another type": "text/plain",
    "another charset": "application/json; charset=latin-1",
    "utf-8": "application/json; charset=utf-8",
    "UTF-8": "application/json;charset=UTF-8",
    "another parameter": "application/json; version=1",
}

KEPT = [
    "The input must be a JSON dictionary with exactly one of the input fields",
    "Invalid input. The input must be a JSON dictionary with exactly one of the input fields",
    "Invalid input. Dataframe split format must be a dictionary. Got list.",
    "Invalid input. Dataframe split format must be a dictionary. Got type <class 'int'>.",
    "Invalid input. Dataframe split format must have 'data' field and optionally 'columns' and 'index' fields.",
    "Invalid input. Dataframe records format must be a list of records. Got dictionary.",
    "Invalid input. Dataframe records format must be a list of records. Got type <class 'int'>.",
    "Invalid input. Provided dataframe_split field is not a valid dataframe representation in 'split' format. Error: '3 columns passed, passed data had",
    "Failed to parse input as a Pandas DataFrame.",
]


def serve():
    model = LinearRegression().fit(numpy.eye(3), [0, 0, 0])
    model.coef_, model.intercept_ = numpy.ones(3), 0.0
    signature = ModelSignature(Schema([ColSpec("double", name) for name in NAMES]), Schema([ColSpec("double", "target")]))
    folder = tempfile.mkdtemp() + "/model"
    mlflow.sklearn.save_model(model, folder, signature=signature, serialization_format="cloudpickle")
    app = scoring_server.init(mlflow.pyfunc.load_model(folder))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return server.servers[0].sockets[0].getsockname()[1]


def main():
    logging.disable(logging.CRITICAL)
    url = f"http://127.0.0.1:{serve()}/invocations"
    json_type = "application/json"
    cases = [(name, json_type, json.dumps(body)) for name, body in BODIES.items()]
    cases += [(name, json_type, body) for name, body in TEXTS.items()]
    cases += [(name, "text/csv", body) for name, body in CSV.items()]
    cases += [(name, content_type, json.dumps(BODIES["records"])) for name, content_type in TYPES.items()]
    recorded = []
    for name, content_type, body in cases:
        answer = requests.post(url, data=body.encode(), headers={"Content-Type": content_type}, timeout=60)
        case = {"name": name, "type": content_type, "body": body, "status": answer.status_code}
        if answer.status_code == 200:
            case["answer"] = answer.json()
        elif answer.status_code == 400:
            message = answer.json()["message"]
            case["message"] = next((kept for kept in KEPT if message.startswith(kept)), "")
        recorded.append(case)
    lines = ",\n".join(json.dumps(case) for case in recorded)
    sys.stdout.write(f"[\n{lines}\n]\n")


main()
