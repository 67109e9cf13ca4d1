"""YAML in which every value keeps the text that was written."""

from __future__ import annotations

import re
from typing import Any

import yaml

from spark_infer.errors import ConfigError
from spark_infer.warehouse.values import Unquoted

_MAX_DEPTH = 20
_TAG = "tag:yaml.org,2002:"
_WHAT = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "null",
    "timestamp": "a date or a time",
    "merge": "a merge key",
}
"""What YAML 1.1 takes a word without quotes for, by tag."""

_NUMBERS = re.compile(r"0o[0-7]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
"""What YAML 1.2 takes for numbers; some of it is text to YAML 1.1, such as 1e3 and 0o17."""


def parse(text: str) -> Any:
    """Return the document in ``text``: dicts, lists, text and None for an empty document.

    Versions of YAML disagree on what ``no``, ``0123`` or ``1e3`` are. A word that one of them
    takes for anything but text comes as ``Unquoted``, and whoever knows the type that was declared
    reads it.

    Raises:
        ConfigError: It is no YAML, repeats a key, has a key that is not text, or uses what a job
            file does not need: aliases, merge keys, tags and deep nesting.
    """
    try:
        # A SafeLoader all the same.
        return yaml.load(text, _Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(" ".join(str(error).split())) from None
    except (ValueError, OverflowError) as error:
        # By Python itself, of the number of a character (as \\UFFFFFFFF) or of a version.
        why = str(error).partition(";")[0]
        raise ConfigError(f"it holds a number that stands for nothing ({why})") from None


class _Loader(yaml.SafeLoader):
    """Leaves the reading of values to those who know their types."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse what makes a small file large or a text something else."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # types-PyYAML has no types
        if isinstance(event, yaml.AliasEvent):
            raise _refusal("aliases (*name) are not for job files; write the value out", event)
        if event.tag is not None:
            raise _refusal(
                f"tags ({event.tag}) are not for job files; to have text, quote it", event
            )
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _refusal(f"nested deeper than {_MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping of text, refusing repeated keys."""
        made: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Unquoted):
                raise _refusal(f"key {key} is {key.what} to YAML; quote it: '{key}'", key_node)
            if not isinstance(key, str):
                raise _refusal(f"a key must be text, got {key!r}", key_node)
            if key in made:
                raise _refusal(f"key {key!r} stands twice", key_node)
            made[key] = self.construct_object(value_node, deep=True)
        return made

    def scalar(self, node: yaml.ScalarNode) -> str:
        """Return the text of a value."""
        text = str(node.value)
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise _refusal("half of a pair of \\uD800 to \\uDFFF is no character", node)
        if node.style is not None:
            return text
        what = _WHAT.get(node.tag.removeprefix(_TAG))
        if what is None and _NUMBERS.fullmatch(text):
            what = "a number"
        return text if what is None else Unquoted(text, what)


def _refusal(problem: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)


for _name in (*_WHAT, "str", "value", "binary"):
    _Loader.add_constructor(_TAG + _name, _Loader.scalar)
