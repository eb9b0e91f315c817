"""What a user notes about a case besides its masks."""

from __future__ import annotations

from typing import Any

from labeler.core.edits import ValueChange

Fields = dict[str, dict[str, Any]]


class Annotations:
    """Entries by field and key; changed by :class:`~labeler.core.edits.ValueChange` only.

    Fields in use: ``status`` (key ""), ``comment`` (key = comment id), ``tick`` (key = region
    key), ``axes`` (key = region key), ``centroid`` (key = its own), ``shift`` (key = phase,
    RAS mm), ``provenance`` and ``rejected`` (key = its id).

    Parameters
    ----------
    fields
        What is on disk.
    digest
        Names that content, see :attr:`saved_digest`.
    """

    def __init__(self, fields: Fields | None = None, digest: str | None = None) -> None:
        self._fields: Fields = {name: dict(entries) for name, entries in (fields or {}).items()}
        self._saved = self.as_dict()
        self._saved_digest = digest
        self._revision = 0
        self._saved_revision = 0

    @property
    def revision(self) -> int:
        """Names what edits have made of the notes: undoing one brings the former number back."""
        return self._revision

    @property
    def saved_revision(self) -> int:
        """Revision of what is on disk."""
        return self._saved_revision

    @property
    def saved_digest(self) -> str | None:
        """Digest of what is on disk; ``None`` when that is not known."""
        return self._saved_digest

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
        self.amend(change.field, change.key, change.before if undo else change.after)
        self._revision ^= change.token

    def amend(self, field: str, key: str, value: Any) -> None:
        """Set an entry (``None`` removes it) in passing: no edit that could be undone."""
        entries = self._fields.setdefault(field, {})
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value

    def as_dict(self) -> Fields:
        return {name: dict(entries) for name, entries in self._fields.items() if entries}

    def is_field_dirty(self, field: str) -> bool:
        """Whether entries of a field differ from what is on disk."""
        return self.entries(field) != self._saved.get(field, {})

    @property
    def is_dirty(self) -> bool:
        return self.as_dict() != self._saved

    def mark_saved(self, saved: Fields, revision: int, digest: str | None) -> None:
        """Note what is on disk: an earlier :meth:`as_dict` and :attr:`revision`, by its digest."""
        self._saved, self._saved_revision, self._saved_digest = saved, revision, digest
