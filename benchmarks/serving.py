"""One prediction over the network: our `Predict`, a bare echo call, and the peers.

`python -m benchmarks.serving` prints its figures.
"""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import numpy as np

from benchmarks.figures import Figure, Part, UnavailableError, compared, progress
from benchmarks.peers import echo, flask_wrapper
from benchmarks.programs import on_one_core, running, server
from benchmarks.report import show
from ml.definitions.risk import MEDIUM_FROM
from ml.learning.booster import booster
from ml.serving.artefact import SHIPPED
from ml.serving.predictor import Predictor
from sre_edge.v1 import chaos_service_pb2 as chaos_pb
from sre_edge.v1 import chaos_service_pb2_grpc as chaos_rpc
from sre_edge.v1 import fault_pb2
from sre_edge.v1 import prediction_service_pb2 as pb
from sre_edge.v1 import prediction_service_pb2_grpc as rpc

ROUNDS, CALLS, SETTLES_S, INSTALLS_WITHIN_S = 30, 60, 45.0, 400.0
MLSERVER = "1.7.1"
MLSERVER_PATH = "/inference.GRPCInferenceService/ModelInfer"
ENVIRONMENT = Path("build/mlserver")

OURS, ECHO = "Predict, one client", "a bare echo call"
INFERRING_ECHO = "an echo call that runs the inference"
PEER = f"MLServer {MLSERVER}, gRPC, XGBoost runtime"
FLASK, FLASK_LEAN = "Flask, pandas, XGBoost's wrapper", "Flask on Waitress, no pandas"
MAX_RATIOS = {ECHO: 1.5, FLASK: 0.2, PEER: 0.6}


def grpc_call(stack: ExitStack, port: int, path: str, request: bytes) -> Callable[[], object]:
    """Make a call of bytes; nothing is converted on the side of the client."""
    channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
    method = channel.unary_unary(path)
    return lambda: method(request)


def http_call(stack: ExitStack, port: int, features: object) -> Callable[[], object]:
    """Make a call over a connection that stays open, if the server leaves it so."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    stack.callback(connection.close)
    body = json.dumps({"features": features})
    headers = {"Content-Type": "application/json"}

    def call() -> object:
        connection.request("POST", flask_wrapper.PATH, body, headers)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()

    return call


def install_mlserver() -> None:
    """Install MLServer, which needs other versions than we do, in an environment of its own.

    Raises
    ------
    UnavailableError
        It cannot be installed here.
    """
    wanted = [f"mlserver=={MLSERVER}", f"mlserver-xgboost=={MLSERVER}"]
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    progress("serving: MLServer is installed into an environment of its own")
    try:
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([*pip, "install", "-q", *wanted], check=True, timeout=INSTALLS_WITHIN_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{PEER} was not measured: it cannot be installed.") from error


def mlserver(stack: ExitStack, directory: Path, features: int) -> Callable[[], object]:
    """Start MLServer with its XGBoost runtime."""
    python = ENVIRONMENT / "bin" / "python"
    stated = {
        "name": "incident",
        "implementation": "mlserver_xgboost.XGBoostModel",
        "parameters": {"uri": "./model.json"},
    }
    (directory / "model-settings.json").write_text(json.dumps(stated))
    script = Path(__file__).parent / "peers" / "mlserver_request.py"
    written = subprocess.run(
        [str(python), str(script), str(features)], capture_output=True, text=True, check=True
    )
    port = stack.enter_context(
        running(
            "sh",
            "-c",
            f"exec {ENVIRONMENT}/bin/mlserver start {directory} 2>&1",
            pattern=r"gRPC server running on http://127\.0\.0\.1:(\d+)",
            MLSERVER_HOST="127.0.0.1",
            MLSERVER_GRPC_PORT="18081",
            MLSERVER_HTTP_PORT="18080",
            MLSERVER_METRICS_PORT="18082",
            MLSERVER_PARALLEL_WORKERS="0",  # no second process: in its favour
        )
    ).port
    call = grpc_call(stack, port, MLSERVER_PATH, base64.b64decode(written.stdout))
    for _ in range(100):  # it says so before the model is loaded
        try:
            call()
            return call
        except grpc.RpcError:
            time.sleep(0.2)
    raise UnavailableError(f"{PEER} was not measured: it does not answer.")


def medians_us(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Median of each round, all in turns: whatever else the machine does meets all alike."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 2):
        for name, call in calls.items():
            times = []
            for _ in range(CALLS):
                began = time.perf_counter()
                call()
                times.append(time.perf_counter() - began)
            if turn >= 2:
                spent[name].append(1e6 * float(np.median(times)))
    return spent


def disturb(stack: ExitStack, port: int) -> Callable[[], float]:
    """Have a few calls to the database lost, so that the trees are asked for it; gives its risk.

    Where nothing has moved the model knows the answer without an inference, and at risk it is
    asked for the type of the incident besides. So this waits until what has changed is no news.
    """
    channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
    fault = chaos_pb.InjectChaosRequest(
        target="database", kind=fault_pb2.FAULT_KIND_PACKET_LOSS, intensity=0.2
    )
    fault.duration.FromSeconds(3600)
    chaos_rpc.ChaosServiceStub(channel).InjectChaos(fault)
    stub, quiet = rpc.PredictionServiceStub(channel), Predictor().manifest.calibration.quiet
    time.sleep(SETTLES_S)

    def disturbed() -> float:
        answer = stub.Predict(pb.PredictRequest(services=["database"]))
        risk = float(answer.predictions[0].incident_probability)
        if not quiet < risk < MEDIUM_FROM:
            raise RuntimeError(f"expected a low risk that the trees are asked for, got {risk:.3f}")
        return risk

    return disturbed


def measure(*, quick: bool = False) -> Part:
    """Set our `Predict` beside an echo and the peers; a quick run installs none."""
    names = Predictor().manifest.features
    notes = [
        "The client keeps to one core, the servers to the others.",
        f"{INFERRING_ECHO.capitalize()} is the least that a prediction can cost over `grpc.aio`.",
    ]
    with ExitStack() as stack:
        stack.enter_context(on_one_core())
        directory = Path(stack.enter_context(TemporaryDirectory()))
        model = directory / "model.json"
        booster(SHIPPED).save_model(model)
        python = sys.executable
        echoing = stack.enter_context(running(python, "-m", "benchmarks.peers.echo"))
        inferring = stack.enter_context(running(python, "-m", "benchmarks.peers.echo", "--infer"))
        ours = stack.enter_context(server(directory / "data"))
        wrapper = (python, "-m", "benchmarks.peers.flask_wrapper", str(model))
        flask = stack.enter_context(running(*wrapper))
        lean = stack.enter_context(running(*wrapper, "--lean"))
        request = pb.PredictRequest(services=["database"]).SerializeToString()
        path = "/sre_edge.v1.PredictionService/Predict"
        calls = {
            OURS: grpc_call(stack, ours.port, path, request),
            ECHO: grpc_call(stack, echoing.port, echo.PATH, request),
            INFERRING_ECHO: grpc_call(stack, inferring.port, echo.PATH, request),
            FLASK: http_call(stack, flask.port, dict.fromkeys(names, 1.0)),
            FLASK_LEAN: http_call(stack, lean.port, [1.0] * len(names)),
        }
        try:
            if quick:
                raise UnavailableError(f"{PEER} is left out of a quick run.")
            install_mlserver()
            calls[PEER] = mlserver(stack, directory, len(names))
        except UnavailableError as error:
            notes.append(str(error))
        progress("serving: one prediction, all peers in turns")
        disturbed = disturb(stack, ours.port)
        before = disturbed()
        found = medians_us(calls, 3 if quick else ROUNDS)
        notes.append(
            f"Risk of the service asked for: {before:.3f} before, {disturbed():.3f} after."
        )
    figures: list[Figure] = [
        compared(OURS, found[OURS], "us", name, times, MAX_RATIOS.get(name))
        for name, times in found.items()
        if name != OURS
    ]
    return Part("One prediction over the network", figures, notes=notes)


if __name__ == "__main__":
    show(measure())
