"""Prints a request for one row as base64; runs in the environment of MLServer.

`python mlserver_request.py FEATURES`
"""

from __future__ import annotations

import base64
import sys

from mlserver.grpc import dataplane_pb2 as pb

features = int(sys.argv[1])
request = pb.ModelInferRequest(model_name="incident")
request.inputs.add(
    name="features",
    datatype="FP32",
    shape=[1, features],
    contents=pb.InferTensorContents(fp32_contents=[1.0] * features),
)
print(base64.b64encode(request.SerializeToString()).decode())
