"""Asks a replica through `tritonclient[http]` as its documentation does; the model adds its three columns up."""

import sys

import numpy
import tritonclient.http as triton

client = triton.InferenceServerClient(url=sys.argv[1])
rows = numpy.array([[5.3, 2.1, 0.8], [0.1, 0.2, -1e-300], [-0.0, 0.0, 1e15]])
expected = rows[:, 0] + rows[:, 1] + rows[:, 2]
names = ["feature1", "feature2", "feature3"]

assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("sum")
assert client.is_model_ready("sum", "7") and not client.is_model_ready("sum", "8")
assert not client.is_model_ready("other")
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
metadata = client.get_model_metadata("sum")
assert [column["name"] for column in metadata["inputs"]] == names, metadata
output = metadata["outputs"][0]["name"]


def tensor(name, values, **how):
    tensor = triton.InferInput(name, list(values.shape), "FP64")
    tensor.set_data_from_numpy(values, **how)
    return tensor


def same(result):
    values = result.as_numpy(output)
    assert values.dtype == numpy.float64 and values.tobytes() == expected.tobytes(), values


columns = [tensor(name, rows[:, at]) for at, name in enumerate(names)]
answer = client.infer("sum", columns)
assert answer.get_output(output)["parameters"]["binary_data_size"] == 24
same(answer)
same(client.infer("sum", [tensor("rows", rows)], model_version="7", request_id="1"))
same(client.infer("sum", columns, outputs=[triton.InferRequestedOutput(output)]))
same(client.infer("sum", columns, outputs=[triton.InferRequestedOutput(output, binary_data=False)]))
same(client.infer("sum", [tensor("rows", rows, binary_data=False)], outputs=[triton.InferRequestedOutput(output)]))
same(client.async_infer("sum", columns).get_result())
for algorithm in sys.argv[2:]:
    same(client.infer("sum", columns, request_compression_algorithm=algorithm))

for broken in [columns[:2], [tensor("rows", rows[:, :2])]]:
    try:
        client.infer("sum", broken)
        raise AssertionError("a request without a column was answered")
    except triton.InferenceServerException as error:
        assert error.status() == "400", error

index = client.get_model_repository_index()
assert [(model["name"], model["version"], model["state"]) for model in index] == [("sum", "7", "READY")], index
client.unload_model("sum")
assert not client.is_model_ready("sum") and not client.is_server_ready()
client.load_model("sum")
assert client.is_model_ready("sum")
print("fine")
