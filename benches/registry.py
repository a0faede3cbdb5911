"""What moving models costs beside MLflow's own client, in one interleaved run: CPU and wall seconds of one repetition and the most
memory that was resident, for publishing and fetching 1 MB and 500 MB through MLflow's artifact proxy, and for resolving an alias.

    python benches/registry.py [ROUNDS]        default 3 rounds; with a python that has mlflow

One real server on the loopback address, its database and its artifacts in a temporary folder. Each operation is a process of its
own, and what is measured begins after the process has started and loaded its libraries; the peak is of the whole process.
"""

import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Small things are repeated, since the kernel counts in hundredths of a second.
OPERATIONS = [("publish", "small", 10), ("fetch", "small", 10), ("publish", "large", 1), ("fetch", "large", 1), ("alias", "small", 300)]
SIZES = {"small": 1_000_000, "large": 500_000_000}


def python_client(address, operation, what, times):
    """The same as registry-client/benches/transfer.rs, by Python's client."""
    import mlflow
    from mlflow import MlflowClient

    mlflow.set_tracking_uri(address)
    client = MlflowClient()

    def publish():
        name = os.path.basename(what)
        try:
            client.create_registered_model(name)
        except mlflow.exceptions.MlflowException:
            pass
        run = client.create_run("0")
        client.log_artifact(run.info.run_id, what, "model")
        version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id).version
        client.transition_model_version_stage(name, version, "Production", archive_existing_versions=True)
        client.set_registered_model_alias(name, "champion", version)

    def fetch():
        with tempfile.TemporaryDirectory() as folder:
            mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{what}@champion", dst_path=folder)

    def alias():
        client.get_model_version_by_alias(what, "champion")

    call = {"publish": publish, "fetch": fetch, "alias": alias}[operation]
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"cpu": cpu / times, "wall": wall / times, "peak_kib": peak}))


def build():
    built = subprocess.run(
        ["cargo", "build", "--release", "--package", "martello-registry-client", "--features", "rest", "--bench", "transfer",
         "--message-format", "json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return [it["executable"] for it in messages if it.get("executable") and it["target"]["name"] == "transfer"][-1]


def start_server(work):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mlflow = os.path.join(os.path.dirname(sys.executable), "mlflow")
    with open(os.path.join(work, "server.log"), "w") as log:
        server = subprocess.Popen(
            [mlflow, "server", "--backend-store-uri", f"sqlite:///{work}/mlflow.db", "--artifacts-destination", f"{work}/artifacts",
             "--serve-artifacts", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/health").close()
            return server, address
        except OSError:
            time.sleep(0.1)
    stop(server)
    sys.exit("the server never came up")


def stop(server):
    try:
        os.killpg(server.pid, 15)
    except ProcessLookupError:
        pass
    server.wait()


def measure(command):
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(out.splitlines()[-1])


def report(measured):
    print(f"{'operation':<16}{'CPU s':>10}{'Python':>10}{'ratio':>8}{'wall s':>10}{'Python':>10}{'ratio':>8}{'peak MiB':>10}{'Python':>8}")
    for operation, size, _ in OPERATIONS:
        median = {who: {key: statistics.median(it[key] for it in measured[operation, size, who]) for key in ("cpu", "wall", "peak_kib")}
                  for who in ("rust", "python")}
        ours, theirs = median["rust"], median["python"]
        ratio = {key: theirs[key] / ours[key] if ours[key] else float("inf") for key in ("cpu", "wall")}
        print(f"{operation + ' ' + size:<16}{ours['cpu']:>10.4f}{theirs['cpu']:>10.4f}{ratio['cpu']:>8.1f}"
              f"{ours['wall']:>10.4f}{theirs['wall']:>10.4f}{ratio['wall']:>8.1f}"
              f"{ours['peak_kib'] / 1024:>10.0f}{theirs['peak_kib'] / 1024:>8.0f}")


def main(rounds):
    transfer = build()
    work = tempfile.mkdtemp()
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    # A bar is drawn by neither.
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    server, address = start_server(work)
    measured = {}
    try:
        for who in ("rust", "python"):
            os.makedirs(f"{work}/{who}")
            for size, length in SIZES.items():
                with open(f"{work}/{who}/{who}-{size}", "wb") as file:
                    for at in range(0, length, 1_000_000):
                        file.write(os.urandom(min(1_000_000, length - at)))
        commands = {"rust": [transfer], "python": [sys.executable, os.path.abspath(__file__), "--client"]}
        for at in range(rounds):
            for operation, size, times in OPERATIONS:
                # Neither is always the first.
                for who in ("rust", "python") if at % 2 == 0 else ("python", "rust"):
                    what = f"{work}/{who}/{who}-{size}" if operation == "publish" else f"{who}-{size}"
                    cost = measure(commands[who] + [address, operation, what, str(times)])
                    measured.setdefault((operation, size, who), []).append(cost)
    finally:
        stop(server)
        shutil.rmtree(work, ignore_errors=True)
    report(measured)


if sys.argv[1:2] == ["--client"]:
    python_client(*sys.argv[2:5], int(sys.argv[5]))
else:
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
