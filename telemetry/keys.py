"""What documents may state: a dataclass per mapping, a field per key, a `Key` in its annotation.

What is accepted, what an error says, the default, and the row in the tables of the documentation
all follow from these. Pydantic does the reading; it takes as long to import as NumPy, so that this
file imports it only when a document is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from telemetry.document import MAX_PROBLEMS, DocumentError, shown, suggestion

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationInfo
    from pydantic_core import CoreSchema, ErrorDetails

T = TypeVar("T")
Place = Sequence[str | int]
"""The keys and positions that lead to a value of a document."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a document, in the annotation of the field of that name.

    Attributes
    ----------
    meaning
        One sentence for people.
    unit
        Unit of the value.
    above, least, most
        Limits of a number; None: there is none.
    less_than, at_least
        An earlier key whose value is a limit too.
    choices
        The words that are allowed; empty: any.
    pattern
        Regular expression of the texts that are allowed; None: any.
    expected
        What an error says is expected; empty: what type and limits say.
    default
        What holds where nothing is stated; empty: the default of the field.
    """

    meaning: str
    unit: str = ""
    above: float | None = None
    least: float | None = None
    most: float | None = None
    less_than: str = ""
    at_least: str = ""
    choices: Collection[str] = ()
    pattern: str | None = None
    expected: str = ""
    default: str = ""

    def expectation(self, kind: Any) -> str:
        """Say what is expected of a value of a type."""
        if self.expected or self.choices:
            return self.expected or f"one of {', '.join(self.choices)}"
        if kind is int:
            return f"a whole number from {self.least} to {self.most}"
        if kind is not float:
            return _expectation(kind)
        low = "" if self.least is None else f" of at least {self.least:g}"
        low = low if self.above is None else f" greater than {self.above:g}"
        most = "" if self.most is None else f"{' and' if low else ' of'} at most {self.most:g}"
        return f"a number{low}{most}"

    def __get_pydantic_core_schema__(self, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic import Field
        from pydantic_core import core_schema

        if self.choices:
            return core_schema.literal_schema(list(self.choices))
        limits = Field(
            strict=bare(kind) in (int, float, bool, str) or None,
            gt=self.above, ge=self.least, le=self.most, pattern=self.pattern,
        )  # fmt: skip
        schema = handler.generate_schema(Annotated[kind, limits])
        if bare(kind) is int:
            schema = core_schema.no_info_before_validator_function(_whole, schema)
        if self.less_than or self.at_least:
            schema = core_schema.with_info_after_validator_function(self._compared, schema)
        return schema

    def _compared(self, value: float, info: ValidationInfo) -> float:
        limit = info.data.get(self.less_than or self.at_least)
        if limit is not None and (value < limit if self.at_least else value >= limit):
            than = f"at least {self.at_least}" if self.at_least else f"less than {self.less_than}"
            raise ValueError(f"expected {than} ({limit:g}), got {value:g}")
        return value


class Stated:
    """Base of the dataclasses that are mappings of a document."""

    __slots__: tuple[str, ...] = ()
    __pydantic_config__: ClassVar = {"extra": "forbid", "allow_inf_nan": False}
    EXPECTED: ClassVar = "a mapping"

    @classmethod
    def mapping(cls, value: Any) -> Any:
        """Give the mapping that a value stands for; a key without a value is as if left out."""
        if isinstance(value, Mapping):
            return {str(key): inner for key, inner in value.items() if inner is not None}
        return value

    def into(self, kind: type[T], /, **others: Any) -> T:
        """Give an object of another class with the values of all keys, except some others."""
        return kind(**{name: getattr(self, name) for name in self.__slots__} | others)

    @classmethod
    def __get_pydantic_core_schema__(cls, kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(cls.mapping, handler(kind))


class Checker:
    """Reads the mappings of a document, and collects all that is wrong with it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[str] = []
        self._more = 0

    def read(self, kind: type[T], value: Any, place: Place = ()) -> T | None:
        """Read the mapping at a place as a dataclass; None if there are problems."""
        from pydantic import ValidationError

        adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]  # it is hashable
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            lines = error.errors(include_url=False)
        for line in lines[:MAX_PROBLEMS]:
            self.problem((*place, *line["loc"]), _problem(kind, line))
        self._more += max(0, len(lines) - MAX_PROBLEMS)
        return None

    def problem(self, place: Place, text: str) -> None:
        """Note what is wrong at a place."""
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
        where = f"{self.source}: {path.removeprefix('.')}" if path else self.source
        self.problems.append(f"{where}: {text}")

    def passed(self, value: T | None, kind: type[DocumentError]) -> T:
        """Give what was read, unless there are problems.

        Raises
        ------
        DocumentError
            All that was noted; of the given kind.
        """
        told = self.problems[:MAX_PROBLEMS]
        if more := self._more + len(self.problems) - len(told):
            told.append(f"{self.source}: and {more} more problems")
        if told or value is None:
            raise kind(told)
        return value


@cache
def keys(kind: Any) -> dict[str, tuple[Any, Key]]:
    """Give the keys of a mapping, each with the type of its value."""
    hints = get_type_hints(kind, include_extras=True)
    return {f.name: (bare(hints[f.name]), hints[f.name].__metadata__[0]) for f in fields(kind)}


def bare(annotation: Any) -> Any:
    """Give the type of an annotation, without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        annotation = annotation.__origin__
    if isinstance(annotation, UnionType):
        (annotation,) = (kind for kind in get_args(annotation) if kind is not NoneType)
    return annotation


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _problem(kind: Any, line: ErrorDetails) -> str:
    """Say what was expected, and what was found."""
    if line["type"] == "value_error":
        return str(line["ctx"]["error"])
    key = None
    for step in line["loc"]:
        if isinstance(step, int):  # an item of a list
            kind, key = get_args(kind)[0], None
        elif step in keys(kind):
            kind, key = keys(kind)[step]
        else:
            known = list(keys(kind))
            return f"expected one of the keys {', '.join(known)}{suggestion(step, known)}"
    found = None if line["type"] == "missing" else line["input"]
    hint = suggestion(found, key.choices) if key and isinstance(found, str) else ""
    expected = key.expectation(kind) if key else _expectation(kind)
    return f"expected {expected}, got {shown(found)}{hint}"


def _expectation(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Stated):
        return kind.EXPECTED
    return {bool: "true or false", str: "text"}.get(kind, "a list")


def _whole(value: Any) -> Any:
    """Take 3.0 for 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
