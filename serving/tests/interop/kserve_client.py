"""Asks a replica through the `kserve` SDK, in both of its protocols; the model adds its three columns up."""

import asyncio
import sys

import numpy
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig

url = f"http://{sys.argv[1]}"
rows = numpy.array([[5.3, 2.1, 0.8], [0.1, 0.2, 1.0]])
expected = list(rows[:, 0] + rows[:, 1] + rows[:, 2])


async def main():
    v1 = InferenceRESTClient(RESTConfig(protocol="v1", retries=1))
    assert await v1.is_server_live(url) and await v1.is_model_ready(url, "sum")
    answer = await v1.infer(url, {"instances": rows.tolist()}, model_name="sum")
    assert answer["predictions"] == expected, answer
    v2 = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    assert await v2.is_server_live(url) and await v2.is_server_ready(url) and await v2.is_model_ready(url, "sum")
    tensor = InferInput("rows", list(rows.shape), "FP64")
    tensor.set_data_from_numpy(rows, binary_data=False)
    answer = await v2.infer(url, InferRequest(model_name="sum", infer_inputs=[tensor]), model_name="sum")
    assert list(answer.outputs[0].as_numpy()) == expected, answer


asyncio.run(main())
print("fine")
