"""Conversion between enums of the domain and of the API, by name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

from server.errors import Violation, invalid

Member = TypeVar("Member", bound=Enum)


class EnumMap(Generic[Member]):
    """Pairs each member of an enum with the value of the API that has its name.

    Parameters
    ----------
    members
        Enum of the domain.
    values
        Enum of the API.
    prefix
        Prefix of the names in the API.
    """

    def __init__(self, members: type[Member], values: Any, prefix: str) -> None:
        self.value: Mapping[Member, Any] = {
            member: values.Value(f"{prefix}_{member.name}") for member in members
        }
        self._members = {number: member for member, number in self.value.items()}
        self._values = values

    def optional(self, member: Member | None) -> Any:
        """Convert a member to a value of the API; None to 0, unspecified."""
        return 0 if member is None else self.value[member]

    def optional_member(self, number: int, field: str) -> Member | None:
        """Convert a value of the API; None for the value 0, unspecified.

        Raises
        ------
        ServerError
            INVALID_FIELD, if there is no such member.
        """
        return None if number == 0 else self.member(number, field)

    def member(self, number: int, field: str) -> Member:
        """Convert a value of the API to a member.

        Raises
        ------
        ServerError
            INVALID_FIELD, if there is no such member.
        """
        if number not in self._members:
            known = ", ".join(self._values.Name(known) for known in self._members)
            raise invalid([Violation(field, f"expected one of {known}")])
        return self._members[number]
