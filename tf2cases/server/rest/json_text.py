"""JSON as TensorFlow Serving reads and writes it: NaN and Infinity are numbers; of duplicate keys, the first counts.

Documents are parsed by orjson. If it fails, the standard library's json module is tried, which accepts NaN and
Infinity; if that fails because the document is nested too deeply, a parser without recursion is tried. Errors are
reported in the words of RapidJSON, which TensorFlow Serving uses.
"""

import json
import math
import re
from typing import Any, Final

import orjson

from tf2cases.server.errors import Code, ServingError

# The parser without recursion takes about a microsecond for a byte, so larger documents may not be nested that deeply.
MAX_DEEP_BYTES: Final = 4 * 2**20
# Lists and objects take twenty to fifty times as much memory as their text.
MAX_LISTS: Final = 4_000_000
MAX_OBJECTS: Final = 1_000_000
# An error message quotes this much of the value that is wrong.
_MAX_SHOWN: Final = 120

_BOM: Final = b"\xef\xbb\xbf"
_PERHAPS_TOO_BIG: Final = re.compile(r"-?\d[\d.]*[eE]\+?\d{3,}|-?\d{300,}[\d.]*(?:[eE][-+]?\d+)?")
_TOKEN: Final = re.compile(
    r"[ \t\n\r]*(?:(?P<mark>[{}\[\]:,])|(?P<quote>\")|(?P<word>true|false|null|-?(?:NaN|Infinity|Inf))"
    r"|(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?))"
)
_string: Final = json.JSONDecoder().raw_decode
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_WORDS: Final = {"true": True, "false": False, "null": None}

# The messages of the json module and those of RapidJSON.
_MESSAGES: Final = (
    ("Expecting property name", "Missing a name for object member."),
    ("Illegal trailing comma before end of object", "Missing a name for object member."),
    ("Illegal trailing comma before end of array", "Invalid value."),
    ("Expecting ':'", "Missing a colon after a name of object member."),
    ("Expecting value", "Invalid value."),
    ("Extra data", "The document root must not be followed by other values."),
    ("Unterminated string", "Missing a closing quotation mark in string."),
    ("Invalid control character", "Invalid encoding in string."),
    ("Invalid \\u", "Incorrect hex digit after \\u escape in string."),
    ("Invalid \\", "Invalid escape character in string."),
)


class RepeatedKeys(dict):
    """An object with duplicate keys: a dict with the first value of each key; `last` has the last ones."""

    def __init__(self, pairs: list[tuple[str, Any]]):
        super().__init__(reversed(pairs))
        self.last = dict(pairs)


def parse(body: bytes | bytearray) -> dict[str, Any]:
    """Parses a request's body, which must be an object; objects with duplicate keys become RepeatedKeys.

    Numbers become int or float; integers that do not fit into 64 bits may become either.

    Raises:
      ServingError: INVALID_ARGUMENT, the body is not a JSON object, or has too many lists or objects.
    """
    body = body.removeprefix(_BOM)
    if len(body) > MAX_OBJECTS and (body.count(b"[") > MAX_LISTS or body.count(b"{") > MAX_OBJECTS):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"The document has more than {MAX_LISTS} lists or {MAX_OBJECTS} objects; send fewer at a time.",
        )
    try:
        document = orjson.loads(body)
        # orjson keeps the last of two equal keys, so that the quotation marks are more than the strings.
        if isinstance(document, dict) and not _strings_are(document, _quotes(body) // 2):
            document = _parse_carefully(body)
    except orjson.JSONDecodeError:
        document = _parse_carefully(body)
    if not isinstance(document, dict):
        raise ServingError(Code.INVALID_ARGUMENT, f"JSON Value: {shown(document)} Is not object")
    return document


def has_words(body: bytes | bytearray) -> bool:
    """Tells whether a body may contain true, false or null, which NumPy would silently convert to numbers."""
    # Looking for a byte is twenty times faster than looking for a word, and lists of numbers have neither an l nor a u.
    if b"l" in body and (b"false" in body or b"null" in body):
        return True
    places = _places(body, b"u")
    return b"true" in body if places is None else any(body[at - 2 : at + 2] == b"true" for at in places)


def shown(value: Any) -> str:
    """Formats a JSON value on one line for an error message, truncated if it is long."""
    text = _shown(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def type_name(value: Any) -> str:
    """Returns the name of a JSON value's type in TensorFlow Serving's messages."""
    if value is None:
        return "Null"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, dict):
        return "Object"
    return "Array" if isinstance(value, list) else "String" if isinstance(value, str) else "Number"


def dumps(value: Any) -> str:
    """Serializes strings and Python's numbers to JSON, with the tokens NaN, Infinity and -Infinity."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _places(body: bytes | bytearray, byte: bytes) -> list[int] | None:
    """Returns the positions of a byte in a body; None if there are many."""
    places: list[int] = []
    at = body.find(byte)
    while at >= 0:
        places.append(at)
        if len(places) > 100:
            return None
        at = body.find(byte, at + 1)
    return places


def _quotes(body: bytes | bytearray) -> int:
    places = _places(body, b'"')
    return body.count(b'"') if places is None else len(places)


def _strings_are(document: dict[str, Any], count: int) -> bool:
    """Tells whether a parsed document has `count` strings, the number of pairs of quotation marks in its text."""
    found = 0
    waiting: list[Any] = [document]
    while waiting and found < count:
        value = waiting.pop()
        if isinstance(value, dict):
            found += len(value)
            value = value.values()
        for item in value:
            if isinstance(item, str):
                found += 1
            elif isinstance(item, dict | list):
                waiting.append(item)
            elif isinstance(value, list):
                # A list of numbers. If it has strings as well, it is parsed carefully, and then refused.
                break
    return found == count


def _parse_carefully(body: bytes | bytearray) -> Any:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _parse_error("Invalid encoding in string.", error.start) from None
    hooks: dict[str, Any] = {"object_pairs_hook": _object}
    if _PERHAPS_TOO_BIG.search(text):
        hooks |= {"parse_int": _integer, "parse_float": _float}
    try:
        try:
            return json.loads(text, **hooks)
        except RecursionError:
            if len(body) > MAX_DEEP_BYTES:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"JSON Parse error: a document of more than {MAX_DEEP_BYTES} bytes must not be nested deeply.",
                ) from None
            return _Parser(text).parse()
        except json.JSONDecodeError:
            # These two are numbers for RapidJSON only.
            if ("Inf" not in text and "-NaN" not in text) or len(body) > MAX_DEEP_BYTES:
                raise
            return _Parser(text).parse()
    except json.JSONDecodeError as error:
        raise _parse_error(_rapidjson_message(error, text), len(text[: error.pos].encode())) from None
    except (OverflowError, ValueError):
        found = (m for m in _PERHAPS_TOO_BIG.finditer(text) if math.isinf(float(m.group())))
        match = next(found, None)
        offset = len(text[: match.start()].encode()) if match else 0
        raise _parse_error("Number too big to be stored in double.", offset) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else RepeatedKeys(pairs)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise OverflowError
    return value


def _integer(text: str) -> int:
    value = int(text)
    float(value)
    return value


def _parse_error(message: str, offset: int) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"JSON Parse error: {message} at offset: {offset}")


def _rapidjson_message(error: json.JSONDecodeError, text: str) -> str:
    if error.pos == len(text) and not text.strip(" \t\n\r"):
        return "The document is empty."
    for start, message in _MESSAGES:
        if error.msg.startswith(start):
            return message
    closing = _open_bracket(text, error.pos)
    kind = "an object member" if closing == "}" else "an array element"
    return f"Missing a comma or {closing} after {kind}."


def _open_bracket(text: str, end: int) -> str:
    """Returns the bracket that closes the innermost container that is open at a position."""
    if end > MAX_DEEP_BYTES:
        return "]"
    stack = []
    for match in re.finditer(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{\]}]', text[:end]):
        if match.group() in "[{":
            stack.append("]" if match.group() == "[" else "}")
        elif match.group() in "]}" and stack:
            stack.pop()
    return stack[-1] if stack else "]"


def _shown(value: Any) -> str:
    """Serializes the beginning of a value; without recursion, since values may be nested deeply."""
    parts: list[str] = []
    length = 0
    waiting: list[tuple[bool, Any]] = [(False, value)]
    while waiting and length <= _MAX_SHOWN:
        is_text, item = waiting.pop()
        if is_text:
            part = item
        elif isinstance(item, dict | list):
            pairs: list[tuple[str, Any]] = []
            for entry in item.items() if isinstance(item, dict) else item:
                pairs.append((dumps(entry[0][:_MAX_SHOWN]) + ": ", entry[1]) if isinstance(item, dict) else ("", entry))
                if len(pairs) > _MAX_SHOWN:
                    break
            part, closing = ("{", "}") if isinstance(item, dict) else ("[", "]")
            waiting.append((True, closing))
            for i, (key, entry) in reversed(list(enumerate(pairs))):
                waiting += [(False, entry), (True, (", " if i else "") + key)]
        elif isinstance(item, str):
            part = dumps(item[: _MAX_SHOWN + 1])
        elif isinstance(item, int) and not isinstance(item, bool) and item.bit_length() > 64:
            part = dumps(float(item))
        else:
            part = dumps(item)
        parts.append(part)
        length += len(part)
    return "".join(parts)


class _Parser:
    """A parser without recursion; it also accepts Inf and -NaN, as RapidJSON does."""

    def __init__(self, text: str):
        self._text = text
        self._at = 0

    def parse(self) -> Any:
        """Parses the whole text; raises json.JSONDecodeError."""
        # For each open container: itself (members of objects as pairs), and the key whose value comes next.
        stack: list[tuple[list[Any], bool]] = []
        keys: list[str] = []
        while True:
            value, opened = self._value()
            if opened:
                is_object = value == "{"
                if not self._close("}" if is_object else "]"):
                    stack.append(([], is_object))
                    if is_object:
                        keys.append(self._key())
                    continue
                value = {} if is_object else []
            while stack:
                items, is_object = stack[-1]
                items.append((keys.pop(), value) if is_object else value)
                mark = self._mark()
                if mark == ",":
                    if is_object:
                        keys.append(self._key())
                    break
                if mark != ("}" if is_object else "]"):
                    raise json.JSONDecodeError("Expecting ',' delimiter", self._text, self._at - len(mark))
                stack.pop()
                value = _object(items) if is_object else items
            else:
                end = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
                if end != len(self._text):
                    raise json.JSONDecodeError("Extra data", self._text, end)
                return value

    def _next(self, message: str) -> re.Match[str]:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise json.JSONDecodeError(message, self._text, _SPACE.match(self._text, self._at).end())  # type: ignore
        return match

    def _value(self) -> tuple[Any, bool]:
        """Reads the next value, or an opening bracket; returns it, and whether it is a bracket."""
        match = self._next("Expecting value")
        kind, token = str(match.lastgroup), match.group(str(match.lastgroup))
        if kind == "mark" and token not in "{[":
            raise json.JSONDecodeError("Expecting value", self._text, match.end() - 1)
        self._at = match.end()
        if kind == "mark":
            return token, True
        if kind == "quote":
            value, self._at = _string(self._text, self._at - 1)
            return value, False
        if kind == "word":
            return _WORDS[token] if token in _WORDS else float(token), False
        return (_float if any(c in ".eE" for c in token) else _integer)(token), False

    def _key(self) -> str:
        match = self._next("Expecting property name")
        if match.lastgroup != "quote":
            raise json.JSONDecodeError("Expecting property name", self._text, match.start(str(match.lastgroup)))
        key, self._at = _string(self._text, match.end() - 1)
        if self._mark() != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", self._text, self._at)
        return key

    def _mark(self) -> str:
        """Reads the next bracket, comma or colon; returns an empty string if something else comes next."""
        match = _TOKEN.match(self._text, self._at)
        if match is None or match.lastgroup != "mark":
            return ""
        self._at = match.end()
        return match.group("mark")

    def _close(self, bracket: str) -> bool:
        """Skips a closing bracket if it comes next; tells whether it did."""
        end = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
        if self._text[end : end + 1] != bracket:
            return False
        self._at = end + 1
        return True
