"""The part of the standard library's dataclasses that llmcli uses, in a form that loads fast.

The original takes 10 ms to import and up to 2 ms for each class, as it generates source text and
compiles it. Type checkers treat this `dataclass` like the original (PEP 681).

A short way: without it a completion of 10 events takes 1.2 times as long from start to end, by
`python -m tests.benchmarks short`. It leans on no private names.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform, overload

from llmcli.system.short_ways import is_on

T = TypeVar("T")
# Stands for a default that is not given, as None may be one.
_MISSING: Any = object()


class Field:
    """One field of a dataclass.

    `type` is its annotation, unevaluated if that is a string. `repr` says whether the field is
    shown in the repr of an instance. `metadata` belongs to the code that defines the field.
    """

    def __init__(
        self, default: Any, default_factory: Any, metadata: Mapping[str, Any], *, repr: bool
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
    """Return the definition of a field that needs more than an annotation and a plain default."""
    return Field(default, default_factory, metadata or {}, repr=repr)


def _initializer(cls: Any) -> Callable[..., None]:
    """Return the __init__ of a class whose fields are known."""
    # Names of this function, as looking up attributes of the class would take half of the time.
    title, names, defaults = cls.__name__, cls.__dataclass_fields__, cls.__dataclass_defaults__
    factories, count, known = cls.__dataclass_factories__, len(names), names.keys()

    def __init__(self: Any, *given: Any, **named: Any) -> None:
        # Written into __dict__, past the __setattr__ of a frozen class, which refuses every change.
        values = self.__dict__
        if defaults:
            values.update(defaults)
        if named:
            values.update(named)
        if given:
            if len(given) > count:
                raise TypeError(f"{title} has only {count} fields")
            values.update(zip(names, given, strict=False))
        for name, make in factories:
            if name not in values:
                values[name] = make()
        # Without an unknown name among those that were given, the number tells that one is missing.
        if len(values) != count or not named.keys() <= known:
            wrong = ", ".join(sorted(values.keys() ^ known))
            raise TypeError(f"{title}: missing or unknown: {wrong}")

    return __init__


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
    """Give a class __init__, __repr__ and __eq__ that are made of its annotated fields.

    The fields of a base class are not inherited. A class that is `frozen` can be hashed, and
    raises AttributeError when an attribute is set or deleted.
    """
    if cls is None:
        return lambda cls: _add_methods(cls, frozen=frozen)
    return _add_methods(cls, frozen=frozen)


def _add_methods(cls: Any, *, frozen: bool) -> Any:
    own: dict[str, Field] = {}
    for name, annotation in cls.__annotations__.items():
        default = cls.__dict__.get(name, _MISSING)
        item: Field = default if isinstance(default, Field) else field(default=default)
        item.name, item.type = name, annotation
        if item.default is not _MISSING:
            setattr(cls, name, item.default)
        elif default is item:
            delattr(cls, name)  # or the Field itself would be read as the value
        own[name] = item
    cls.__dataclass_fields__ = own
    cls.__dataclass_defaults__ = {n: f.default for n, f in own.items() if f.default is not _MISSING}
    cls.__dataclass_factories__ = [
        (n, f.default_factory) for n, f in own.items() if f.default_factory is not _MISSING
    ]
    cls.__init__, cls.__repr__, cls.__eq__ = _initializer(cls), _repr, _equal
    cls.__hash__ = _hash if frozen else None  # what can change must not be a key of a dict
    if frozen:
        cls.__setattr__ = cls.__delattr__ = _refuse
    return cls


def fields(of: Any) -> tuple[Field, ...]:
    """Return the fields of a dataclass, or of an instance of one, in the order of definition."""
    return tuple(of.__dataclass_fields__.values())


def replace(instance: T, **changes: Any) -> T:
    """Return a copy of `instance` with `changes` to its fields."""
    # By the names of fields: beside them __dict__ may hold the values of cached properties.
    values = {name: getattr(instance, name) for name in instance.__dataclass_fields__}  # type: ignore[attr-defined]
    return type(instance)(**{**values, **changes})


def asdict(instance: Any) -> dict[str, Any]:
    """Return the fields of `instance` by name, with dataclasses in them turned to dicts as well.

    Unlike the original this does not look into lists, tuples and dicts, and copies nothing.
    """
    values = {name: getattr(instance, name) for name in instance.__dataclass_fields__}
    return {
        name: asdict(value) if hasattr(value, "__dataclass_fields__") else value
        for name, value in values.items()
    }


if not TYPE_CHECKING and not is_on("dataclasses"):
    import dataclasses

    # The names above are rebound, so that the whole program uses the original.
    Field, field, fields = dataclasses.Field, dataclasses.field, dataclasses.fields
    dataclass, replace, asdict = dataclasses.dataclass, dataclasses.replace, dataclasses.asdict
