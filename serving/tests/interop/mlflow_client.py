"""Asks a replica through MLflow's `ScoringServerClient`; the model adds its three columns up."""

import sys

import pandas
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

host, port = sys.argv[1].rsplit(":", 1)
client = ScoringServerClient(host, int(port))
client.wait_server_ready(timeout=10)
assert client.get_version().startswith("3.")
frame = pandas.DataFrame({"feature3": [0.8, 1.0], "feature1": [5.3, 0.1], "feature2": [2.1, 0.2]})
expected = [5.3 + 2.1 + 0.8, 0.1 + 0.2 + 1.0]
answer = client.invoke(frame)
assert list(answer.get_predictions()[0]) == expected, answer
try:
    client.invoke(frame.drop(columns="feature2"))
    raise AssertionError("a frame without a column was answered")
except Exception as error:
    assert "error code 400" in str(error), error
print("fine")
