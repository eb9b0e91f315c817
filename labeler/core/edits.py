"""Undoable changes of a case and the history that holds them.

One :class:`Edit` is what a user calls one action. Its steps are mask patches and value changes
(a comment, a review tick), so that Ctrl+Z walks back through all of them in order. Nothing here
depends on what is shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labeler.core.mask import Patch

_edit_ids = itertools.count(1)


@dataclass(frozen=True)
class ValueChange:
    """A change of one entry of the case's annotations.

    Attributes
    ----------
    field
        ``comment``, ``tick``, ``axes``, ``status`` or ``shift``.
    key
        Which entry (region key, phase, or "" for the case).
    before, after
        JSON-able values; ``None`` means absent.
    """

    field: str
    key: str
    before: Any
    after: Any

    @property
    def nbytes(self) -> int:
        return 200 + len(str(self.before)) + len(str(self.after))


Step = Patch | ValueChange


@dataclass(frozen=True)
class Edit:
    """One undoable change, with a name people can read ("Brush Liver", "Delete region HCC")."""

    name: str
    steps: tuple[Step, ...]
    id: int = field(default_factory=lambda: next(_edit_ids))

    @property
    def nbytes(self) -> int:
        return sum(step.nbytes for step in self.steps) + 100

    @property
    def patches(self) -> tuple[Patch, ...]:
        return tuple(step for step in self.steps if isinstance(step, Patch))


class History:
    """Undo and redo stacks, bounded in bytes.

    The oldest edits are forgotten first; the newest one is always kept, however large it is.
    """

    def __init__(self, max_bytes: int = 512 * 2**20) -> None:
        self.max_bytes = max_bytes
        self._done: list[Edit] = []
        self._undone: list[Edit] = []

    @property
    def done(self) -> Sequence[Edit]:
        """Edits that undo can take back, oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> Sequence[Edit]:
        """Edits that redo can bring back, next one last."""
        return tuple(self._undone)

    @property
    def undo_name(self) -> str | None:
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        return self._undone[-1].name if self._undone else None

    @property
    def nbytes(self) -> int:
        return sum(edit.nbytes for edit in itertools.chain(self._done, self._undone))

    def push(self, edit: Edit) -> None:
        """Record an edit that has been applied; what was undone is forgotten."""
        self._undone.clear()
        self._done.append(edit)
        total = self.nbytes
        while total > self.max_bytes and len(self._done) > 1:
            total -= self._done.pop(0).nbytes

    def pop_undo(self) -> Edit | None:
        """Move the newest edit to the redo stack and return it."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def pop_redo(self) -> Edit | None:
        """Move the last undone edit back and return it."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]

    def forget_mask(self, mask: str) -> None:
        """Drop every edit that touches a mask which is no longer there."""
        for stack in (self._done, self._undone):
            stack[:] = [e for e in stack if all(patch.mask != mask for patch in e.patches)]

    def clear(self) -> None:
        self._done.clear()
        self._undone.clear()
