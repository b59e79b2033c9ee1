"""JSON Schema, by the library jsonschema, which is imported only here and only to validate."""

import importlib.util
import json
import re
from typing import Any

from .errors import HOW_TO_INSTALL, BadRequest, ConfigError
from .terminal import one_line

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


def problem(schema: dict[str, Any], value: Any) -> str | None:
    """What of `value` does not fit `schema`, in words; None if it fits. Raises ConfigError."""
    from jsonschema import ValidationError
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # With a registry of its own it fetches no schema that a $ref names from the network.
    registry: Registry[Any] = Registry()
    validator = validator_for(schema)(schema, registry=registry)
    try:
        error: ValidationError | None = best_match(validator.iter_errors(value))
    except Unresolvable as unknown:
        raise ConfigError(f"the schema refers to what it does not hold: {unknown}") from None
    except re.error as error_of_pattern:
        raise ConfigError(f"the schema has a pattern that is none: {error_of_pattern}") from None
    except RecursionError:
        return "it is nested too deeply"
    return _words(error) if error else None


def _words(error: Any) -> str:
    """`$.items[2].price: 'x' is not of type 'number'`."""
    message = one_line(str(error.message), _LONGEST)
    return f"{error.json_path}: {message}"


def parse(text: str) -> Any:
    """JSON as RFC 8259 has it, without NaN. Raises ValueError with words for a person."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
