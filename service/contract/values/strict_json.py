"""JSON as the standard has it: what a lenient decoder lets through is refused here."""

from __future__ import annotations

import codecs
import json
import math
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from service.contract.values.errors import ErrorCode, FieldError, SpecInvalidError, token
from service.contract.values.limits import LIMITS
from service.contract.values.pointers import MOST_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator

NESTING = LIMITS.nesting
LONGEST_INTEGER = 400
"""Digits; a longer one is past the largest double."""

_GZIP = b"\x1f\x8b"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_MAY_BE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class BodyRefusedError(Exception):
    """A body cannot be read as JSON: a code for programs, and a detail for people that repeats nothing sent."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def decode(body: bytes) -> Any:
    """Decode a body, with or without a byte order mark, into Python's idea of the JSON.

    ``NaN`` and ``Infinity`` come through as floats, and so does 1e400: the contract refuses them where they stand.

    Raises
    ------
    BodyRefusedError
        Not UTF-8, not JSON, a key twice, nested too deep, empty.
    SpecInvalidError
        A text holds a lone surrogate.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        raise BodyRefusedError(ErrorCode.EMPTY_BODY, "The body is empty.")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _wrong_encoding(_other_encoding(body) or f"byte {error.start} is not") from None
    if "\0" in text and (found := _other_encoding(body)):  # UTF-16 of ASCII is UTF-8 too, and no JSON
        raise _wrong_encoding(found)
    value = _parse(text)
    if _deeper_than(body, NESTING):
        raise _too_deep()
    if _MAY_BE_SURROGATE.search(body) and (errors := tuple(islice(_lone_surrogates(value, ""), MOST_ERRORS))):
        raise SpecInvalidError(errors)
    return value


def _wrong_encoding(found: str) -> BodyRefusedError:
    return BodyRefusedError(ErrorCode.WRONG_ENCODING, f"The body must be in UTF-8; {found}.")


def _other_encoding(body: bytes) -> str | None:
    """Say what a body is instead of UTF-8 by its first bytes, where they tell."""
    if body.startswith(_GZIP):
        return "it is compressed by gzip, which is taken once, under Content-Encoding: gzip"
    encoding = json.detect_encoding(body)  # by byte order marks, or by where the zeros are among four bytes
    if encoding.startswith("utf-8") or not any(body[:4]):
        return None
    return f"its first bytes are those of {encoding[:6].upper()}"


class _DuplicateKeyError(Exception):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _DuplicateKeyError
    return fields


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _parse(text: str) -> Any:
    try:
        try:
            return json.loads(text, object_pairs_hook=_object)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer with more digits than Python converts; slower, so only then
            return json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        detail = f"The body is not JSON: line {error.lineno}, column {error.colno}."
        raise BodyRefusedError(ErrorCode.NOT_JSON, detail) from None
    except _DuplicateKeyError:
        detail = "An object in the body has the same key twice."
        raise BodyRefusedError(ErrorCode.DUPLICATE_KEY, detail) from None
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> BodyRefusedError:
    detail = f"Arrays and objects may be nested {NESTING} deep."
    return BodyRefusedError(ErrorCode.NESTING_TOO_DEEP, detail)


def _deeper_than(body: bytes, limit: int) -> bool:
    """Tell whether valid JSON is nested deeper than a limit: each pass strips the innermost brackets."""
    brackets = _STRING.sub(b"", body).translate(_TO_SQUARE, _NOT_BRACKETS)
    for _ in range(limit):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _is_well_formed(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _lone_surrogates(value: Any, pointer: str) -> Iterator[FieldError]:
    r"""Find the texts that JSON's ``\ud800`` left without an encoding; the contract need not look for them."""
    if isinstance(value, str) and not _is_well_formed(value):
        yield FieldError(pointer, "lone_surrogate", "must not hold a lone surrogate")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _lone_surrogates(entry, pointer + token(index))
    elif isinstance(value, dict):
        for key, entry in value.items():
            if _is_well_formed(key):
                yield from _lone_surrogates(entry, pointer + token(key))
            else:  # the key cannot be repeated in an answer
                yield FieldError(pointer, "lone_surrogate", "has a key with a lone surrogate")
