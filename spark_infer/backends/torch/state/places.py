"""Named places, each of which refers to something: keys, attributes, globals, variables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from types import CellType, FunctionType, MemberDescriptorType
from typing import Any

from spark_infer.backends.torch.state.kept import PLAIN, Kept, built_in


class Places(Kept):
    """Places of one thing, and what was in them.

    Only places that changed are put back, one by one, so that whoever else uses the others never
    sees them empty.
    """

    def __init__(self, value: Any, name: str) -> None:
        super().__init__(value, name)
        self._copy = self._read()

    @abstractmethod
    def _read(self) -> dict[Any, Any]:
        """Return what is in the places now, of those that are filled."""

    @abstractmethod
    def _put(self, key: Any, part: Any) -> None:
        """Fill a place."""

    @abstractmethod
    def _drop(self, key: Any) -> None:
        """Empty a place."""

    def _named(self, key: Any) -> str:
        return f"{self.name}.{key}".removeprefix(".")

    def changed(self) -> list[str]:
        """Return the names of the places that are not as they were."""
        return [self._named(key) for key in self._changed_keys()]

    def _is_changed(self) -> bool:
        return bool(self._changed_keys())

    def _restore(self) -> None:
        for key in self._changed_keys():
            if key in self._copy:
                self._put(key, self._copy[key])
            else:
                self._drop(key)

    def _parts(self) -> Iterable[tuple[Any, Any]]:
        return self._copy.items()

    def _changed_keys(self) -> list[Any]:
        now = self._read()
        # No place refers to the list of them.
        nothing: list[Any] = []
        keys = [key for key, part in self._copy.items() if now.get(key, nothing) is not part]
        return keys + [key for key in now if key not in self._copy]


class Items(Places):
    """The items of a dict.

    Args:
        value: The dict.
        name: Its name.
        as_attributes: Whether its keys are attributes to everyone else.
    """

    def __init__(self, value: dict[Any, Any], name: str, *, as_attributes: bool = False) -> None:
        self._kind = built_in(value)
        self._as_attributes = as_attributes
        super().__init__(value, name)

    def _read(self) -> dict[Any, Any]:
        return dict(self._kind.items(self.value))

    def _put(self, key: Any, part: Any) -> None:
        self._kind.__setitem__(self.value, key, part)

    def _drop(self, key: Any) -> None:
        self._kind.__delitem__(self.value, key)

    def _named(self, key: Any) -> str:
        if self._as_attributes:
            return super()._named(key)
        # What others look like may be long, and another each time.
        return f"{self.name}[{key!r}]" if type(key) in PLAIN else self.name

    def _restore(self) -> None:
        super()._restore()
        if list(map(id, self._read())) != list(map(id, self._copy)):
            self._kind.clear(self.value)
            for key, part in self._copy.items():
                self._put(key, part)


class Attributes(Items):
    """The attributes of an object, a module or a function."""

    def __init__(self, value: Any, name: str) -> None:
        super().__init__(vars(value), name, as_attributes=True)
        self.owner = value


class Slots(Places):
    """The attributes of an object that are in no dict."""

    def __init__(self, value: Any, name: str, slots: dict[str, MemberDescriptorType]) -> None:
        self._slots = slots
        super().__init__(value, name)

    def _read(self) -> dict[Any, Any]:
        found = {}
        for key, slot in self._slots.items():
            try:
                found[key] = slot.__get__(self.value)
            except AttributeError:
                continue  # It is empty.
        return found

    def _put(self, key: Any, part: Any) -> None:
        # As the class itself would, were it frozen.
        self._slots[key].__set__(self.value, part)

    def _drop(self, key: Any) -> None:
        self._slots[key].__delete__(self.value)


class ClassAttributes(Places):
    """The attributes of a class, which its objects share, without those that Python makes."""

    def _read(self) -> dict[Any, Any]:
        return {key: part for key, part in vars(self.value).items() if not key.startswith("__")}

    def _put(self, key: Any, part: Any) -> None:
        # As without a metaclass, which may allow none.
        type.__setattr__(self.value, key, part)

    def _drop(self, key: Any) -> None:
        type.__delattr__(self.value, key)


class Globals(Places):
    """Globals that a piece of code names, also those that are not there yet.

    Args:
        value: The globals of its file.
        names: The names.
    """

    def __init__(self, value: dict[str, Any], names: frozenset[str]) -> None:
        self._names = names
        super().__init__(value, str(value.get("__name__")))

    def _read(self) -> dict[Any, Any]:
        return {key: self.value[key] for key in self._names & self.value.keys()}

    def _put(self, key: Any, part: Any) -> None:
        self.value[key] = part

    def _drop(self, key: Any) -> None:
        del self.value[key]

    def _named(self, key: Any) -> str:
        return f"{self.name}:{key}"


class Variables(Places):
    """The variables that a function has of the functions around it."""

    def __init__(self, value: FunctionType, name: str) -> None:
        cells: tuple[CellType, ...] = value.__closure__ or ()
        self._cells = dict(zip(value.__code__.co_freevars, cells, strict=True))
        super().__init__(value, name)

    def _read(self) -> dict[Any, Any]:
        found = {}
        for key, cell in self._cells.items():
            try:
                found[key] = cell.cell_contents
            except ValueError:
                continue  # It is empty.
        return found

    def _put(self, key: Any, part: Any) -> None:
        self._cells[key].cell_contents = part

    def _drop(self, key: Any) -> None:
        del self._cells[key].cell_contents
