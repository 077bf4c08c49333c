"""Writes docs/reference.md from the protos and their comments: `make docs`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2 as pb

HERE = Path(__file__).resolve().parent
PAGE, PROTOS = HERE / "reference.md", HERE.parent / "protos"
PACKAGE = "sre_edge.v1"

Comments = dict[tuple[int, ...], str]

_FILE, _MESSAGE = pb.FileDescriptorProto, pb.DescriptorProto
_SCALARS = {
    number: name.removeprefix("TYPE_").lower()
    for name, number in pb.FieldDescriptorProto.Type.items()
}
_INTRODUCTION = f"""\
# Reference of the API

Every call, message and value of the package `{PACKAGE}`, with the comments of its
[protos](../protos/sre_edge/v1/). Written by `make docs`; a test fails if it is stale.
[api.md](api.md) has an example of each call with its answer, and what streams, errors and limits
have in common.

A field that is `optional` says whether it was set; one of a `oneof` excludes the others. Times are
`google.protobuf.Timestamp`, lengths of time `google.protobuf.Duration`: in JSON
`"2026-11-25T16:22:29Z"` and `"30s"`.
"""


def page() -> str:
    """Give the whole page."""
    files = sorted(_files(), key=lambda file: file.name)
    comments = {file.name: _comments(file) for file in files}
    services = [line for file in files for line in _services(file, comments[file.name])]
    messages: dict[str, list[str]] = {}
    enums: dict[str, list[str]] = {}
    for file in files:
        told = comments[file.name]
        for i, message in enumerate(file.message_type):
            path = (_FILE.MESSAGE_TYPE_FIELD_NUMBER, i)
            _message(message, message.name, path, told, messages, enums)
        for i, enum in enumerate(file.enum_type):
            enums[enum.name] = _enum(enum, enum.name, (_FILE.ENUM_TYPE_FIELD_NUMBER, i), told)
    heads = [line.removeprefix("## ") for line in services if line.startswith("## ")]
    contents = " · ".join(
        f"[{head}](#{head.lower()})" for head in [*heads, "Messages", "Enumerations"]
    )
    lines = [_INTRODUCTION, contents, "", *services, "## Messages", ""]
    lines += [line for name in sorted(messages) for line in messages[name]]
    lines += ["## Enumerations", ""]
    lines += [line for name in sorted(enums) for line in enums[name]]
    return "\n".join(lines).rstrip("\n") + "\n"


def _files() -> list[pb.FileDescriptorProto]:
    buf = Path(sys.executable).parent / "buf"
    built = subprocess.run(  # noqa: S603 - a tool of ours
        [buf, "build", "-o", "-#format=binpb"], cwd=PROTOS, capture_output=True, check=True
    )
    found = pb.FileDescriptorSet.FromString(built.stdout).file
    return [file for file in found if file.package == PACKAGE]


def _comments(file: pb.FileDescriptorProto) -> Comments:
    """Give the comment of each element, by its path in the descriptor."""
    return {
        tuple(place.path): place.leading_comments.strip()
        for place in file.source_code_info.location
        if place.leading_comments
    }


def _services(file: pb.FileDescriptorProto, told: Comments) -> Iterator[str]:
    for i, service in enumerate(file.service):
        path = (_FILE.SERVICE_FIELD_NUMBER, i)
        yield from (f"## {service.name}", "", _text(told[path]), "")
        for j, call in enumerate(service.method):
            stream = "stream of " if call.server_streaming else ""
            asks, answers = (_linked(name) for name in (call.input_type, call.output_type))
            yield from (f"### {call.name}", "", f"{asks} → {stream}{answers}", "")
            comment = told[(*path, pb.ServiceDescriptorProto.METHOD_FIELD_NUMBER, j)]
            yield from (_text(comment), "")


def _message(
    message: pb.DescriptorProto,
    name: str,
    path: tuple[int, ...],
    told: Comments,
    messages: dict[str, list[str]],
    enums: dict[str, list[str]],
) -> None:
    """Tell of a message and of what is declared inside of it."""
    lines = [f"### {name}", "", _text(told.get(path, "")), ""]
    if message.field:
        lines += ["| field | type | meaning |", "| --- | --- | --- |"]
    for i, field in enumerate(message.field):
        comment = told.get((*path, _MESSAGE.FIELD_FIELD_NUMBER, i), "")
        kind = _kind(message, field)
        lines.append(f"| `{field.name}` | {kind} | {_cell(comment)} |")
    messages[name] = [*lines, ""] if message.field else lines
    for i, inner in enumerate(message.nested_type):
        if not inner.options.map_entry:
            inside = (*path, _MESSAGE.NESTED_TYPE_FIELD_NUMBER, i)
            _message(inner, f"{name}.{inner.name}", inside, told, messages, enums)
    for i, enum in enumerate(message.enum_type):
        inside, full = (*path, _MESSAGE.ENUM_TYPE_FIELD_NUMBER, i), f"{name}.{enum.name}"
        enums[full] = _enum(enum, full, inside, told)


def _enum(
    enum: pb.EnumDescriptorProto, name: str, path: tuple[int, ...], told: Comments
) -> list[str]:
    lines = [f"### {name}", "", _text(told.get(path, "")), ""]
    lines += ["| value | number | meaning |", "| --- | ---: | --- |"]
    for i, value in enumerate(enum.value):
        comment = told.get((*path, pb.EnumDescriptorProto.VALUE_FIELD_NUMBER, i), "")
        lines.append(f"| `{value.name}` | {value.number} | {_cell(comment)} |")
    return [*lines, ""]


def _kind(message: pb.DescriptorProto, field: pb.FieldDescriptorProto) -> str:
    for inner in message.nested_type:
        if inner.options.map_entry and field.type_name.endswith(f".{message.name}.{inner.name}"):
            key, value = (_one(part) for part in inner.field)
            return f"map of {key} to {value}"
    kind = _one(field)
    if field.label == pb.FieldDescriptorProto.LABEL_REPEATED:
        return f"list of {kind}"
    if field.proto3_optional:
        return f"optional {kind}"
    if field.HasField("oneof_index"):
        return f"{kind}, oneof `{message.oneof_decl[field.oneof_index].name}`"
    return kind


def _one(field: pb.FieldDescriptorProto) -> str:
    return _linked(field.type_name) if field.type_name else _SCALARS[field.type]


def _linked(full: str) -> str:
    """Name a type of ours with a link to it, one of Google's without."""
    name = full.removeprefix(f".{PACKAGE}.")
    if name == full:
        return f"`{full.rsplit('.', 1)[-1]}`"
    return f"[{name}](#{name.replace('.', '').lower()})"


def _text(comment: str) -> str:
    """Give a comment as paragraphs; errors have one of their own."""
    return "\n".join(
        line.strip() for line in comment.replace("\n Errors:", "\n\nErrors:").splitlines()
    )


def _cell(comment: str) -> str:
    return " ".join(comment.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
