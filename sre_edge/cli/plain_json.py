"""Messages as JSON for scripts: as protobuf writes them, but for numbers that are missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def plain(message: Message) -> dict[str, Any]:
    """Convert a message, with the names of the API.

    A number that is not observed is None, `null` in JSON: protobuf writes the string "NaN", which
    tools such as jq would take for larger than any number.
    """
    written = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    found: dict[str, Any] = _without_nan(message, written)
    return found


def _without_nan(value: Any, written: Any) -> Any:
    """Replace NaN in what was written of a value."""
    match value:
        case float():
            return None if math.isnan(value) else written
        case Message() if value.DESCRIPTOR.file.package != "google.protobuf":
            known = {
                field.name: _without_nan(part, written[field.name])
                for field, part in value.ListFields()
            }
            return {**written, **known}
        case Mapping():
            return {key: _without_nan(value[key], part) for key, part in written.items()}
        case Sequence() if not isinstance(value, str | bytes):
            return [_without_nan(*pair) for pair in zip(value, written, strict=True)]
    return written
