"""Validation by JSON Schema, with the library jsonschema.

The library is an extra and takes longer to import than all of llmcli, so it is imported within the
functions that need it, and nowhere else.
"""

import importlib.util
import json
import re
import warnings
from collections.abc import Iterator
from typing import Any

from llmcli.errors import BadRequest, ConfigError
from llmcli.system.extras import how_to_install
from llmcli.system.text import one_line

# Characters of a message of the library, which may quote the whole value.
_LONGEST = 300
# The keywords of a schema whose values are data, in which a "$ref" is not a reference.
_DATA = ("const", "enum", "default", "examples")


def require() -> None:
    """Raise ConfigError if the library is not installed.

    It is called before a request is sent, so that no answer is paid for that cannot be checked.
    """
    if importlib.util.find_spec("jsonschema") is None:
        hint = how_to_install("schema")
        raise ConfigError("JSON Schema needs the library jsonschema", hint=hint)


def check_schema(schema: dict[str, Any], name: str) -> None:
    """Raise BadRequest if `schema` is not a valid JSON Schema or has a `$ref` that leads nowhere.

    `name` is where the schema came from, for messages. Raises ConfigError if the library is not
    installed.
    """
    require()
    from jsonschema import SchemaError  # noqa: PLC0415  # an extra, and slow to load
    from jsonschema.validators import validator_for  # noqa: PLC0415  # an extra

    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as error:
        raise BadRequest(f"{name}: not a valid JSON Schema: {_words(error)}") from None
    except RecursionError:
        raise BadRequest(f"{name}: nested too deeply") from None
    except Exception as error:  # noqa: BLE001  # odd schemas make the library raise any error
        raise BadRequest(f"{name}: not a valid JSON Schema: {_of_python(error)}") from None
    for reference in set(_references(schema)):
        _resolve(schema, reference, name)


def _references(schema: Any) -> Iterator[str]:
    """Yield the target of each `$ref` in `schema`, at any depth."""
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        yield schema["$ref"]
    for inner in inside(schema):
        yield from _references(inner)


def inside(schema: Any) -> Iterator[Any]:
    """Yield the parts of `schema` that may contain schemas.

    They are the items of a list and the values of an object, without keywords such as `const` and
    `enum`, whose values are data.
    """
    if isinstance(schema, dict):
        yield from (value for key, value in schema.items() if key not in _DATA)
    elif isinstance(schema, list):
        yield from schema


def _resolve(schema: dict[str, Any], reference: str, name: str) -> None:
    """Raise BadRequest if `reference`, the target of a `$ref`, is not in `schema`.

    A schema elsewhere is not fetched. If any part of `schema` has an `$id`, which changes what a
    reference is relative to, this check is left to the validator.
    """
    if "$id" in json.dumps(schema):
        return
    from referencing import Registry, Resource  # noqa: PLC0415  # an extra
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415  # an extra

    resource: Any = Resource.from_contents(schema, default_specification=DRAFT202012)
    try:
        registry: Registry[Any] = Registry().with_resource("", resource)
        registry.resolver().lookup(reference)
    except Exception:  # noqa: BLE001  # a pointer into a number raises what Python does
        hint = "put the schema that it names under $defs; none is fetched"
        raise BadRequest(f"{name}: cannot resolve the $ref {reference}", hint=hint) from None


def problem(schema: dict[str, Any], value: Any) -> str | None:
    """Return in words why `value` does not fit `schema`; None if it fits.

    Raises ConfigError if `schema` has a `$ref` that cannot be resolved or a pattern that is not
    valid, where `check_schema` could not see it.
    """
    from jsonschema import ValidationError  # noqa: PLC0415  # an extra, and slow to load
    from jsonschema.exceptions import best_match  # noqa: PLC0415  # an extra
    from jsonschema.validators import validator_for  # noqa: PLC0415  # an extra
    from referencing import Registry  # noqa: PLC0415  # an extra
    from referencing.exceptions import Unresolvable  # noqa: PLC0415  # an extra

    # Without a registry the library would fetch from the network what a $ref names.
    registry: Registry[Any] = Registry()
    validator = validator_for(schema)(schema, registry=registry)
    try:
        # The warnings of the library are for programmers, and would stand amid the answer.
        with warnings.catch_warnings(action="ignore"):
            error: ValidationError | None = best_match(validator.iter_errors(value))
    except Unresolvable as unknown:
        raise ConfigError(f"the schema has a $ref that cannot be resolved: {unknown}") from None
    except re.error as error_of_pattern:
        problem = f"the schema has a pattern that is not valid: {error_of_pattern}"
        raise ConfigError(problem) from None
    except RecursionError:
        return "it is nested too deeply"
    except (ArithmeticError, ValueError, TypeError) as error_of_library:
        return f"it cannot be checked: {_of_python(error_of_library)}"
    return _words(error) if error else None


def _of_python(error: Exception) -> str:
    """Return the kind and the message of an error, on one line."""
    return one_line(f"{type(error).__name__}: {error}", _LONGEST)


def _words(error: Any) -> str:
    """Return the place and the message of an error of the library.

    An example is `$.items[2].price: 'x' is not of type 'number'`.
    """
    message = one_line(str(error.message), _LONGEST)
    return f"{error.json_path}: {message}"
