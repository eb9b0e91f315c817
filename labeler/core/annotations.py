"""What a user notes about a case besides its masks."""

from __future__ import annotations

from typing import Any

from labeler.core.edits import ValueChange

Fields = dict[str, dict[str, Any]]


class Annotations:
    """Entries by field and key; changed by :class:`~labeler.core.edits.ValueChange` only.

    Fields in use: ``status`` (key ""), ``comment`` (key = comment id), ``tick`` (key = region
    key), ``axes`` (key = region key), ``shift`` (key = phase, RAS mm).
    """

    def __init__(self, fields: Fields | None = None) -> None:
        self._fields: Fields = {name: dict(entries) for name, entries in (fields or {}).items()}
        self._saved = self.as_dict()

    def get(self, field: str, key: str, default: Any = None) -> Any:
        return self._fields.get(field, {}).get(key, default)

    def entries(self, field: str) -> dict[str, Any]:
        """All entries of a field, in order of creation."""
        return dict(self._fields.get(field, {}))

    def change(self, field: str, key: str, value: Any) -> ValueChange | None:
        """Describe setting an entry (``None`` removes it); ``None`` when it is so already."""
        before = self.get(field, key)
        return None if before == value else ValueChange(field, key, before, value)

    def apply(self, change: ValueChange, *, undo: bool = False) -> None:
        """Carry a change out, or take it back."""
        value = change.before if undo else change.after
        entries = self._fields.setdefault(change.field, {})
        if value is None:
            entries.pop(change.key, None)
        else:
            entries[change.key] = value

    def as_dict(self) -> Fields:
        return {name: dict(entries) for name, entries in self._fields.items() if entries}

    @property
    def is_dirty(self) -> bool:
        return self.as_dict() != self._saved

    def mark_saved(self, saved: Fields) -> None:
        """Note that ``saved`` (an earlier :meth:`as_dict`) is on disk."""
        self._saved = saved
