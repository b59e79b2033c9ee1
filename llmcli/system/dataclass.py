"""What is used here of the standard library's dataclasses, to load in no time: that one writes and
compiles source text, which takes 10 ms to import and up to 2 ms for each class.

Type checkers take it for the original (PEP 681).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform, overload

from llmcli.system.short_ways import is_on

T = TypeVar("T")
_MISSING: Any = object()


class Field:
    """`type` is the annotation as it stands."""

    def __init__(
        self, default: Any, default_factory: Any, repr: bool, metadata: Mapping[str, Any]
    ) -> None:
        self.name = ""
        self.type: Any = None
        self.default = default
        self.default_factory = default_factory
        self.repr = repr
        self.metadata = metadata


def field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    repr: bool = True,
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    return Field(default, default_factory, repr, metadata or {})


def _init(self: Any, *given: Any, **named: Any) -> None:
    kind, values = self.__class__, self.__dict__
    names = kind.__dataclass_fields__
    values.update(kind.__dataclass_defaults__)
    values.update(named)
    if given:
        if len(given) > len(names):
            raise TypeError(f"{kind.__name__} has only {len(names)} fields")
        values.update(zip(names, given, strict=False))
    for name, make in kind.__dataclass_factories__:
        if name not in values:
            values[name] = make()
    if values.keys() != names.keys():
        wrong = ", ".join(sorted(values.keys() ^ names.keys()))
        raise TypeError(f"{kind.__name__}: missing or unknown: {wrong}")


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__name__}({', '.join(shown)})"


def _equal(self: Any, other: object) -> bool:
    return vars(self) == vars(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(tuple(getattr(self, name) for name in self.__dataclass_fields__))


def _refuse(self: Any, name: str, *_: Any) -> None:
    raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")


@overload
@dataclass_transform(field_specifiers=(field,))
def dataclass(cls: type[T], /) -> type[T]: ...


@overload
@dataclass_transform(field_specifiers=(field,))
def dataclass(*, frozen: bool = False) -> Callable[[type[T]], type[T]]: ...


def dataclass(cls: Any = None, /, *, frozen: bool = False) -> Any:
    """A class made of its annotated fields."""
    if cls is None:
        return lambda cls: _made(cls, frozen)
    return _made(cls, frozen)


def _made(cls: Any, frozen: bool) -> Any:
    found: dict[str, Field] = {}
    for name, kind in cls.__annotations__.items():
        default = cls.__dict__.get(name, _MISSING)
        one: Field = default if isinstance(default, Field) else field(default=default)
        one.name, one.type = name, kind
        if one.default is not _MISSING:
            setattr(cls, name, one.default)
        elif default is one:
            delattr(cls, name)
        found[name] = one
    cls.__dataclass_fields__ = found
    cls.__dataclass_defaults__ = {
        n: f.default for n, f in found.items() if f.default is not _MISSING
    }
    cls.__dataclass_factories__ = [
        (n, f.default_factory) for n, f in found.items() if f.default_factory is not _MISSING
    ]
    cls.__init__, cls.__repr__, cls.__eq__ = _init, _repr, _equal
    cls.__hash__ = _hash if frozen else None
    if frozen:
        cls.__setattr__ = cls.__delattr__ = _refuse
    return cls


def fields(of: Any) -> tuple[Field, ...]:
    """Of a class or an instance."""
    return tuple(of.__dataclass_fields__.values())


def replace(one: T, **changes: Any) -> T:
    """A copy with `changes`."""
    return type(one)(**{**vars(one), **changes})


def asdict(one: Any) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in one.__dataclass_fields__}
    return {
        name: asdict(value) if hasattr(value, "__dataclass_fields__") else value
        for name, value in values.items()
    }


if not TYPE_CHECKING and not is_on("dataclasses"):
    import dataclasses

    Field, field, fields = dataclasses.Field, dataclasses.field, dataclasses.fields
    dataclass, replace, asdict = dataclasses.dataclass, dataclasses.replace, dataclasses.asdict
