"""Steps of tests/mlflow_interop.rs: python -c SCRIPT STEP DATABASE ARGUMENTS prints one line of JSON."""

import json
import math
import os
import sqlite3
import sys

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow import MlflowClient

step, database, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
uri = "sqlite:///" + database
mlflow.set_tracking_uri(uri)


def plain(value):
    return "nan" if math.isnan(value) else value


def files(client, run_id, path=None):
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            yield from files(client, run_id, entry.path)
        else:
            yield entry.path


def read(client):
    run = client.get_run(arguments["run_id"])
    model = client.get_registered_model("fraud")
    version = client.get_model_version_by_alias("fraud", "champion")
    folder = mlflow.artifacts.download_artifacts("models:/fraud/Production", dst_path="downloaded")
    return {
        "mlflow": mlflow.__version__,
        "experiment": client.get_experiment(run.info.experiment_id).name,
        "run": {
            "name": run.info.run_name,
            "user": run.info.user_id,
            "status": run.info.status,
            "end": run.info.end_time is not None,
        },
        "params": run.data.params,
        "metrics": {key: plain(value) for key, value in run.data.metrics.items()},
        "history": [metric.value for metric in client.get_metric_history(run.info.run_id, "loss")],
        "tag": run.data.tags["data"],
        "artifacts": sorted(files(client, run.info.run_id)),
        "model": {
            "description": model.description,
            "aliases": {alias: int(number) for alias, number in model.aliases.items()},
        },
        "version": {"stage": version.current_stage, "source": version.source, "tags": version.tags},
        "downloaded": os.path.getsize(os.path.join(folder, "data", "weights.bin")),
        "found": [found.name for found in client.search_registered_models("name LIKE 'fr%'")],
    }


def write(client):
    location = "file://" + os.path.abspath("python-artifacts")
    experiment = client.create_experiment("from python", artifact_location=location)
    run = client.create_run(experiment)
    client.log_param(run.info.run_id, "alpha", 0.5)
    client.log_metric(run.info.run_id, "rmse", 0.25)
    with open("MLmodel", "w") as file:
        file.write("flavors: {python: 1}\n")
    client.log_artifact(run.info.run_id, "MLmodel", "model")
    client.set_terminated(run.info.run_id)
    if not client.search_registered_models("name = 'fraud'"):
        client.create_registered_model("fraud")
    source = run.info.artifact_uri + "/model"
    made = client.create_model_version("fraud", source, run.info.run_id, {"from": "python"}, description="second")
    client.transition_model_version_stage("fraud", made.version, "Staging")
    client.set_registered_model_alias("fraud", "challenger", made.version)
    return {"run_id": run.info.run_id, "version": made.version}


def log_model(client):
    if not hasattr(client, "create_logged_model"):
        return {"model_id": None}
    run = client.create_run("0")
    os.makedirs("logged", exist_ok=True)
    with open("logged/MLmodel", "w") as file:
        file.write("flavors: {python: 1}\n")
    model = client.create_logged_model("0", "logged", source_run_id=run.info.run_id)
    client.log_model_artifacts(model.model_id, "logged")
    client.finalize_logged_model(model.model_id, "READY")
    made = client.create_model_version("fraud", "models:/" + model.model_id, run.info.run_id, model_id=model.model_id)
    return {"model_id": model.model_id, "run_id": run.info.run_id, "version": made.version}


def workspace(_):
    connection = sqlite3.connect(database)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(registered_models)")]
    if "workspace" not in columns:
        return {"has_workspaces": False}
    with connection:
        connection.execute("INSERT INTO registered_models (name, creation_time, workspace) VALUES ('fraud', 0, 'other')")
    return {"has_workspaces": True}


def schema(_):
    connection = sqlite3.connect(database)
    statements = [row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]
    revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    return {"revision": revision, "statements": statements}


STEPS = {"log_model": log_model, "read": read, "schema": schema, "workspace": workspace, "write": write}
print(json.dumps(STEPS[step](MlflowClient(uri, uri))))
