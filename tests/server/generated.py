"""Requests that nobody would write: made field by field from the descriptors, and as raw bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hypothesis import strategies as st

PACKAGE = "sre_edge.v1."
DEPTH = 3

# Words that mean something somewhere: most of what is only random is refused at the door.
WORDS = (
    "", "api-gateway", "database", "databse", "auth-service->database", "->", "*", "f-1", "x" * 300,
    "cpu_percent", "incident_probability", "name: a", "services: [{name: a, dependencies: [b]}]",
    "services: [{name: web, dependencies: [db]}, {name: db}]", "[[[[", "\x00", "ä\U0001f525",
    "- name: s\n  seconds: 60\n  faults: [{target: database, kind: cpu_spike, start_s: 5, "
    "duration_s: 5}]", "../../etc/passwd", "'; DROP TABLE experiments; --", "%s%n",
)  # fmt: skip

KNOWN = ("api-gateway", "database", "latency_ms", "f-1")

_F = FieldDescriptor
_INTEGERS = {
    _F.TYPE_INT32: (-(2**31), 2**31 - 1), _F.TYPE_SINT32: (-(2**31), 2**31 - 1),
    _F.TYPE_SFIXED32: (-(2**31), 2**31 - 1), _F.TYPE_UINT32: (0, 2**32 - 1),
    _F.TYPE_FIXED32: (0, 2**32 - 1), _F.TYPE_INT64: (-(2**63), 2**63 - 1),
    _F.TYPE_SINT64: (-(2**63), 2**63 - 1), _F.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    _F.TYPE_UINT64: (0, 2**64 - 1), _F.TYPE_FIXED64: (0, 2**64 - 1),
}  # fmt: skip


def methods(channel: grpc.Channel) -> list[MethodDescriptor]:
    """Ask a server by reflection for every call of our package."""
    names = _listed(channel)
    pool = descriptor_pool.DescriptorPool()
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for name in names:
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
        for data in _ask(channel, request).file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            found[file.name] = file
    while missing := {d for f in found.values() for d in f.dependency} - found.keys():
        for name in missing:
            request = reflection_pb2.ServerReflectionRequest(file_by_filename=name)
            for data in _ask(channel, request).file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(data)
                found[file.name] = file
    for name in found:
        _add(pool, found, name, set())
    return [method for name in sorted(names) for method in pool.FindServiceByName(name).methods]


def fields_of(method: MethodDescriptor) -> st.SearchStrategy[bytes]:
    """Requests of a call made field by field."""
    return _messages(method.input_type, DEPTH).map(lambda message: message.SerializeToString())


def raw_for(method: MethodDescriptor) -> st.SearchStrategy[bytes]:
    """Bytes that may be no request at all: random, cut off, or with bits flipped."""
    valid = fields_of(method)
    cut = st.builds(lambda data, n: data[: n % (len(data) + 1)], valid, st.integers(0, 10_000))
    flipped = st.builds(_flipped, valid, st.lists(st.integers(0, 100_000), min_size=1, max_size=4))
    return st.one_of(st.binary(max_size=200), cut, flipped)


def _flipped(data: bytes, bits: list[int]) -> bytes:
    changed = bytearray(data)
    for bit in bits if changed else ():
        changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


def _messages(descriptor: Any, depth: int) -> st.SearchStrategy[Message]:
    kind = message_factory.GetMessageClass(descriptor)
    chosen = {
        field.name: _field(field, depth)
        for field in descriptor.fields
        if depth > 0 or field.type != _F.TYPE_MESSAGE
    }
    return st.fixed_dictionaries({}, optional=chosen).map(lambda values: kind(**values))


def _field(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    value = _value(field, depth)
    if not field.is_repeated:
        return value
    options = field.message_type and field.message_type.GetOptions()
    if options and options.map_entry:
        by_name = field.message_type.fields_by_name
        return st.dictionaries(
            _value(by_name["key"], depth), _value(by_name["value"], depth), max_size=3
        )
    return st.lists(value, max_size=4)


def _value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.type == _F.TYPE_MESSAGE:
        return _messages(field.message_type, depth - 1)
    if field.type == _F.TYPE_ENUM:
        known = [value.number for value in field.enum_type.values]
        return st.sampled_from(known) | st.integers(-(2**31), 2**31 - 1)
    if field.type in _INTEGERS:
        lowest, highest = _INTEGERS[field.type]
        small = st.integers(max(lowest, -1), 70)
        return small | st.integers(lowest, highest) | st.sampled_from([lowest, highest])
    if field.type == _F.TYPE_DOUBLE:
        return st.floats(0.0, 10.0) | st.floats()
    if field.type == _F.TYPE_FLOAT:
        return st.floats(width=32)
    if field.type == _F.TYPE_BOOL:
        return st.booleans()
    if field.type == _F.TYPE_BYTES:
        return st.binary(max_size=100)
    text = st.text(st.characters(codec="utf-8"), max_size=40)
    return st.sampled_from(KNOWN) | st.sampled_from(KNOWN) | st.sampled_from(WORDS) | text


def _listed(channel: grpc.Channel) -> list[str]:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    listed = _ask(channel, request).list_services_response.service
    return [service.name for service in listed if service.name.startswith(PACKAGE)]


def _ask(channel: grpc.Channel, request: Any) -> reflection_pb2.ServerReflectionResponse:
    def requests() -> Iterator[Any]:
        yield request

    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    return next(iter(stub.ServerReflectionInfo(requests())))


def _add(pool: Any, found: dict[str, Any], name: str, added: set[str]) -> None:
    if name in added:
        return
    added.add(name)
    for dependency in found[name].dependency:
        _add(pool, found, dependency, added)
    pool.Add(found[name])
