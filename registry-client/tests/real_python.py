"""Steps of tests/real_python.rs: python -c SCRIPT STEP ARGUMENTS prints one line of JSON; MLFLOW_TRACKING_URI names the server."""

import json
import math
import os
import sys
import tempfile

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# The server's storage may be known here by another name than there.
os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")

import mlflow
from mlflow import MlflowClient

step, arguments = sys.argv[1], json.loads(sys.argv[2])
client = MlflowClient()


def plain(value):
    if math.isnan(value):
        return "nan"
    return value


def contents(folder):
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read().hex()
    return found


def describe_run(run):
    return {
        "experiment_id": run.info.experiment_id,
        "name": run.info.run_name,
        "user": run.info.user_id,
        "status": run.info.status,
        "start": run.info.start_time,
        "end": run.info.end_time,
        "artifact_uri": run.info.artifact_uri,
        "params": run.data.params,
        "metrics": {key: plain(value) for key, value in run.data.metrics.items()},
        "tags": run.data.tags,
    }


def describe_version(version):
    return {
        "version": int(version.version),
        "stage": version.current_stage,
        "status": version.status,
        "source": version.source,
        "run_id": version.run_id,
        "description": version.description,
        "tags": version.tags,
        "created": version.creation_timestamp,
    }


def read():
    name, run_id = arguments["name"], arguments["run_id"]
    model = client.get_registered_model(name)
    downloads = {}
    for uri in arguments["uris"]:
        with tempfile.TemporaryDirectory() as folder:
            downloads[uri] = contents(mlflow.artifacts.download_artifacts(uri, dst_path=folder))
    return {
        "run": describe_run(client.get_run(run_id)),
        "history": [[metric.step, plain(metric.value)] for metric in client.get_metric_history(run_id, "loss")],
        "model": {
            "description": model.description,
            "tags": model.tags,
            "aliases": {alias: int(number) for alias, number in model.aliases.items()},
        },
        "version": describe_version(client.get_model_version_by_alias(name, "champion")),
        "downloads": downloads,
    }


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


def write():
    name = arguments["name"]
    experiment = client.create_experiment(name + "-experiment", tags={"team": "fraud"})
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run(run_name="from python", tags={"data": "ü"}) as run:
        mlflow.log_params({"alpha": 0.5, "text": "ü'\";--"})
        mlflow.log_metric("nan", float("nan"))
        mlflow.log_metric("inf", float("inf"))
        for at, value in enumerate([3.0, 2.0, 0.5]):
            mlflow.log_metric("loss", value, step=at)
        logged = mlflow.pyfunc.log_model(name="model", python_model=Doubler())
        with open("plain.txt", "w") as file:
            file.write("plain")
        mlflow.log_artifact("plain.txt", "beside/model")
    version = mlflow.register_model(logged.model_uri, name, tags={"from": "python"})
    client.update_model_version(name, version.version, description="doubles")
    client.update_registered_model(name, description="by python")
    client.set_registered_model_tag(name, "team", "risk")
    client.set_registered_model_alias(name, "champion", version.version)
    client.transition_model_version_stage(name, version.version, "Production")
    run_id = run.info.run_id
    with tempfile.TemporaryDirectory() as folder:
        files = contents(mlflow.artifacts.download_artifacts(logged.model_uri, dst_path=folder))
    return {
        "run_id": run_id,
        "run": describe_run(client.get_run(run_id)),
        "version": describe_version(client.get_model_version(name, version.version)),
        "model_id": logged.model_id,
        "files": files,
    }


print(json.dumps({"read": read, "write": write}[step]()))
