"""What is used here of the standard library's dataclasses, to load in no time: that one writes and
compiles source text, which takes 10 ms to import and up to 2 ms for each class.

Type checkers take it for the original (PEP 681).
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform, overload

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

    def initial(self) -> Any:
        """The value of a new instance to which none was given."""
        if self.default_factory is not _MISSING:
            return self.default_factory()
        if self.default is _MISSING:
            raise TypeError(f"no value for {self.name}")
        return self.default


def field(
    *,
    default: Any = _MISSING,
    default_factory: Any = _MISSING,
    repr: bool = True,
    metadata: Mapping[str, Any] | None = None,
) -> Any:
    return Field(default, default_factory, repr, metadata or {})


def _init(self: Any, *given: Any, **named: Any) -> None:
    known = self.__dataclass_fields__
    if len(given) > len(known):
        raise TypeError(f"{type(self).__name__} has only {len(known)} fields")
    named.update(zip(known, given, strict=False))
    values = self.__dict__
    for name, one in known.items():
        values[name] = named.pop(name) if name in named else one.initial()
    if named:
        raise TypeError(f"{type(self).__name__} has no {', '.join(named)}")


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__name__}({', '.join(shown)})"


def _equal(self: Any, other: object) -> bool:
    return vars(self) == vars(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(tuple(vars(self).values()))


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
    return {
        name: asdict(value) if hasattr(value, "__dataclass_fields__") else value
        for name, value in vars(one).items()
    }
