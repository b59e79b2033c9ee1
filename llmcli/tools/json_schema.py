"""JSON Schema, by the library jsonschema, which is imported only here and only to validate."""

import importlib.util
import json
import re
from collections.abc import Iterator
from typing import Any

from llmcli.errors import HOW_TO_INSTALL, BadRequest, ConfigError
from llmcli.system.text import one_line

_LONGEST = 300


def require() -> None:
    """Raises ConfigError where the extra is missing: before anything is sent."""
    if importlib.util.find_spec("jsonschema") is None:
        hint = HOW_TO_INSTALL.format("schema")
        raise ConfigError("JSON Schema needs the library jsonschema", hint=hint)


def check_schema(schema: dict[str, Any], name: str) -> None:
    """Raises BadRequest for what is no JSON Schema, ConfigError where the extra is missing."""
    require()
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise BadRequest(f"{name} is no JSON Schema: {_words(error)}") from None
    except RecursionError:
        raise BadRequest(f"{name} is nested too deeply") from None
    except Exception as error:  # the library meets odd schemas with whatever Python raises
        raise BadRequest(f"{name} is no JSON Schema: {_of_python(error)}") from None
    for reference in set(_references(schema)):
        _resolve(schema, reference, name)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        yield schema["$ref"]
    for inner in inside(schema):
        yield from _references(inner)


def inside(schema: Any) -> Iterator[Any]:
    """The parts of a schema that can be schemas: not the values it speaks of."""
    if isinstance(schema, dict):
        yield from (value for key, value in schema.items() if key not in _VALUES)
    elif isinstance(schema, list):
        yield from schema


_VALUES = ("const", "enum", "default", "examples")


def _resolve(schema: dict[str, Any], reference: str, name: str) -> None:
    """Raises BadRequest: no schema is fetched from the network. Those under an $id are left to
    the validator."""
    if "$id" in json.dumps(schema):
        return
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    resource: Any = Resource.from_contents(schema, default_specification=DRAFT202012)
    try:
        registry: Registry[Any] = Registry().with_resource("", resource)
        registry.resolver().lookup(reference)
    except Exception:  # pointers into what is no container raise whatever Python does
        raise BadRequest(f"{name} refers to what it does not hold: {reference}") from None


def problem(schema: dict[str, Any], value: Any) -> str | None:
    """What of `value` does not fit `schema`, in words; None if it fits. Raises ConfigError."""
    import warnings

    from jsonschema import ValidationError
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # With a registry of its own it fetches no schema that a $ref names from the network.
    registry: Registry[Any] = Registry()
    validator = validator_for(schema)(schema, registry=registry)
    try:
        with warnings.catch_warnings(action="ignore"):
            error: ValidationError | None = best_match(validator.iter_errors(value))
    except Unresolvable as unknown:
        raise ConfigError(f"the schema refers to what it does not hold: {unknown}") from None
    except re.error as error_of_pattern:
        raise ConfigError(f"the schema has a pattern that is none: {error_of_pattern}") from None
    except RecursionError:
        return "it is nested too deeply"
    except (ArithmeticError, ValueError, TypeError) as error_of_library:
        return f"it cannot be checked: {_of_python(error_of_library)}"
    return _words(error) if error else None


def _of_python(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", _LONGEST)


def _words(error: Any) -> str:
    """`$.items[2].price: 'x' is not of type 'number'`."""
    message = one_line(str(error.message), _LONGEST)
    return f"{error.json_path}: {message}"
