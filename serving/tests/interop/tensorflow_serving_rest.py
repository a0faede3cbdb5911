"""Asks a replica as TensorFlow Serving's REST documentation does (https://www.tensorflow.org/tfx/serving/api_rest); the model
adds its three columns up."""

import sys

import requests

base = f"http://{sys.argv[1]}/v1/models/sum"
names = ["feature1", "feature2", "feature3"]
rows = [[5.3, 2.1, 0.8], [0.1, 0.2, -1e-300]]
expected = [row[0] + row[1] + row[2] for row in rows]


def predict(body, at=""):
    answer = requests.post(f"{base}{at}:predict", json=body, timeout=20)
    return answer.status_code, answer.json()


status = requests.get(base, timeout=20).json()["model_version_status"]
assert status == [{"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}], status
metadata = requests.get(f"{base}/metadata", timeout=20).json()
assert metadata["model_spec"] == {"name": "sum", "signature_name": "", "version": "7"}, metadata
signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
assert sorted(signature["inputs"]) == names and signature["inputs"]["feature1"]["dtype"] == "DT_DOUBLE", metadata

# The row format: named inputs, and the shorthand for the order of the signature.
by_name = [dict(zip(names, row)) for row in rows]
assert predict({"instances": by_name}) == (200, {"predictions": expected})
assert predict({"signature_name": "serving_default", "instances": rows}) == (200, {"predictions": expected})
assert predict({"instances": rows}, at="/versions/7") == (200, {"predictions": expected})
# The column format.
columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
assert predict({"inputs": columns})[0] == 200

for body, at, code in [({}, "", 400), ({"instances": 1}, "", 400), ({"instances": rows}, "/versions/8", 404)]:
    status, answer = predict(body, at)
    assert status == code and isinstance(answer["error"], str), (status, answer)
print("fine")
