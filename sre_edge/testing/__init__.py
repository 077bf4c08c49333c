"""A server for the tests of programs that use SRE Edge: real gRPC with answers that you choose.

>>> from sre_edge import Client
>>> from sre_edge.testing import FakeServer
>>> from sre_edge.v1.prediction_pb2 import RISK_LEVEL_CRITICAL
>>> with FakeServer(["web", "database"]) as fake, Client(fake.target) as client:
...     taken = fake.tick(risk={"database": 0.9})
...     fault = client.inject("database", "cpu_spike", duration_s=30)
...     found = client.metrics(["database"]).services[0].prediction.risk_level
>>> fake.requests("InjectChaos")[0].target, found == RISK_LEVEL_CRITICAL
('database', True)
"""

from sre_edge.testing.failure import Failure
from sre_edge.testing.fake import FakeServer

__all__ = ["Failure", "FakeServer"]
