"""What moving models costs beside MLflow's own client, in one interleaved run: CPU and wall seconds of one repetition and the most
memory that was resident, for publishing and fetching 1 MB and 500 MB, and for resolving an alias.

    python benches/registry.py [--rounds 3] [--paths proxy,behind,s3,embedded] [--workers 4] [--work FOLDER]
                               with a python that has mlflow

    proxy     an MLflow server that passes artifacts on to a folder
    behind    an MLflow server that passes artifacts on to S3, and presigns what is to pass it by; needs what s3 needs
    s3        an MLflow server whose clients write to and read from S3 themselves; needs boto3 and s3s-fs, which
              `.ci/real-servers direct` installs (or $MARTELLO_REAL_SERVERS_S3 names its folder)
    embedded  no server: one SQLite file, artifacts beside it

MLflow's server runs with as many workers as it has by itself, unless told otherwise. Real servers on the loopback address, everything in a temporary folder below FOLDER. Each operation is a process of its own, and what
is measured begins after the process has started and loaded its libraries; the peak is of the whole process.
"""

import argparse
import contextlib
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
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
S3S = os.environ.get("MARTELLO_REAL_SERVERS_S3", os.path.join(ROOT, "target/real-servers/s3s-0.14.1"))
# Small things are repeated, since the kernel counts in hundredths of a second.
OPERATIONS = [("publish", "small", 10), ("fetch", "small", 10), ("publish", "large", 1), ("fetch", "large", 1), ("alias", "small", 300)]
SIZES = {"small": 1_000_000, "large": 500_000_000}
CLIENTS = ("rust", "python")
WORKERS = "4"


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
    client.get_experiment("0")  # so that a new database is made before the clock starts
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"cpu": cpu / times, "wall": wall / times, "peak_kib": peak}))


def build():
    built = subprocess.run(
        ["cargo", "build", "--release", "--package", "martello-registry-client", "--features", "s3", "--bench", "transfer",
         "--message-format", "json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return [it["executable"] for it in messages if it.get("executable") and it["target"]["name"] == "transfer"][-1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command, address, log):
    """A server, from its first answer to the end of the block."""
    with open(log, "w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(address).close()
            except urllib.error.HTTPError:
                pass
            except OSError:
                time.sleep(0.1)
                continue
            break
        else:
            sys.exit(f"{command[0]} never came up: {open(log).read()}")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        server.wait()


@contextlib.contextmanager
def mlflow_server(work, *artifacts):
    """As many processes as `mlflow server` starts by itself."""
    address = f"http://127.0.0.1:{free_port()}"
    command = [os.path.join(os.path.dirname(sys.executable), "mlflow"), "server", "--backend-store-uri", f"sqlite:///{work}/server.db",
               *artifacts, "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1], "--workers", WORKERS]
    with running(command, f"{address}/health", f"{work}/server.log"):
        yield {who: address for who in CLIENTS}


@contextlib.contextmanager
def proxy(work):
    with mlflow_server(work, "--artifacts-destination", f"{work}/artifacts", "--serve-artifacts") as address:
        yield address


@contextlib.contextmanager
def s3_server(work):
    port = free_port()
    os.makedirs(f"{work}/s3/models")
    os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="only-for-this-bench", AWS_DEFAULT_REGION="us-east-1",
                      MLFLOW_S3_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    command = [f"{S3S}/bin/s3s-fs", "--host", "127.0.0.1", "--port", str(port), "--access-key", "bench",
               "--secret-key", "only-for-this-bench", f"{work}/s3"]
    with running(command, os.environ["MLFLOW_S3_ENDPOINT_URL"], f"{work}/s3.log"):
        yield


@contextlib.contextmanager
def behind(work):
    with s3_server(work), mlflow_server(work, "--artifacts-destination", "s3://models/runs", "--serve-artifacts") as address:
        yield address


@contextlib.contextmanager
def s3(work):
    with s3_server(work), mlflow_server(work, "--default-artifact-root", "s3://models/runs", "--no-serve-artifacts") as address:
        yield address


@contextlib.contextmanager
def embedded(work):
    yield {who: f"sqlite:///{work}/{who}/mlflow.db" for who in CLIENTS}


def measure(command, work):
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=work).stdout
    return json.loads(out.splitlines()[-1])


def report(path, measured):
    print(f"{path:<16}{'CPU s':>10}{'Python':>10}{'ratio':>8}{'wall s':>10}{'Python':>10}{'ratio':>8}{'peak MiB':>10}{'Python':>8}")
    for operation, size, _ in OPERATIONS:
        median = {who: {key: statistics.median(it[key] for it in measured[operation, size, who]) for key in ("cpu", "wall", "peak_kib")}
                  for who in CLIENTS}
        ours, theirs = median["rust"], median["python"]
        ratio = {key: theirs[key] / ours[key] if ours[key] else float("inf") for key in ("cpu", "wall")}
        print(f"{operation + ' ' + size:<16}{ours['cpu']:>10.4f}{theirs['cpu']:>10.4f}{ratio['cpu']:>8.1f}"
              f"{ours['wall']:>10.4f}{theirs['wall']:>10.4f}{ratio['wall']:>8.1f}"
              f"{ours['peak_kib'] / 1024:>10.0f}{theirs['peak_kib'] / 1024:>8.0f}")


def run(path, transfer, work, rounds):
    measured = {}
    for who in CLIENTS:
        os.makedirs(f"{work}/{who}")
        for size, length in SIZES.items():
            with open(f"{work}/{who}/{who}-{size}", "wb") as file:
                for at in range(0, length, 1_000_000):
                    file.write(os.urandom(min(1_000_000, length - at)))
    commands = {"rust": [transfer], "python": [sys.executable, os.path.abspath(__file__), "--client"]}
    with {"proxy": proxy, "behind": behind, "s3": s3, "embedded": embedded}[path](work) as address:
        for at in range(rounds):
            for operation, size, times in OPERATIONS:
                # Neither is always the first.
                for who in CLIENTS if at % 2 == 0 else CLIENTS[::-1]:
                    what = f"{work}/{who}/{who}-{size}" if operation == "publish" else f"{who}-{size}"
                    cost = measure(commands[who] + [address[who], operation, what, str(times)], work)
                    measured.setdefault((operation, size, who), []).append(cost)
    report(path, measured)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--paths", default="proxy,s3,embedded")
    arguments.add_argument("--workers", default="4", help="processes of MLflow's server")
    arguments.add_argument("--work", help="where the temporary folder is made")
    arguments.add_argument("--transfer", help="the program, if it is built already")
    arguments = arguments.parse_args()
    global WORKERS
    WORKERS = arguments.workers
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    # A bar is drawn by neither.
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    transfer = arguments.transfer or build()
    for path in arguments.paths.split(","):
        with tempfile.TemporaryDirectory(dir=arguments.work, ignore_cleanup_errors=True) as work:
            run(path, transfer, work, arguments.rounds)


if sys.argv[1:2] == ["--client"]:
    python_client(*sys.argv[2:5], int(sys.argv[5]))
else:
    main()
