"""Undoable changes of a case and the history that holds them.

One :class:`Edit` is what a user calls one action. Its steps are mask patches and value changes
(a comment, a review tick), so that Ctrl+Z walks back through all of them in order. Nothing here
depends on what is shown.

What is changed are the *documents* of a case: each mask, by its name, and the notes. The XOR of
the tokens of all changes made to a document is its revision, which names its content: undoing a
change brings the former revision back.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Any

from labeler.core.mask import Patch, new_token

_edit_ids = itertools.count(1)

#: The notes among the documents of a case; the name of a mask is never empty.
NOTES = ""


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
    token
        Random non-zero number, as that of a patch; two changes are equal whatever theirs are.
    """

    field: str
    key: str
    before: Any
    after: Any
    token: int = dataclasses.field(default_factory=new_token, compare=False)

    @property
    def nbytes(self) -> int:
        return 200 + len(str(self.before)) + len(str(self.after))


Step = Patch | ValueChange


def document_of(step: Step) -> str:
    """Name of the mask that a step changes, or :data:`NOTES`."""
    return step.mask if isinstance(step, Patch) else NOTES


@dataclass(frozen=True)
class Edit:
    """One undoable change, with a name people can read ("Brush Liver", "Delete region HCC")."""

    name: str
    steps: tuple[Step, ...]
    id: int = dataclasses.field(default_factory=lambda: next(_edit_ids))

    @property
    def nbytes(self) -> int:
        return sum(step.nbytes for step in self.steps) + 100

    @property
    def patches(self) -> tuple[Patch, ...]:
        return tuple(step for step in self.steps if isinstance(step, Patch))

    @property
    def documents(self) -> frozenset[str]:
        """What the edit changes."""
        return frozenset(document_of(step) for step in self.steps)

    @property
    def token(self) -> int:
        """XOR of the tokens of all steps: names the edit, also in another run of the program."""
        return reduce(xor, (step.token for step in self.steps), 0)

    def token_of(self, document: str) -> int:
        """XOR of the tokens of the steps that change one document."""
        return reduce(xor, (s.token for s in self.steps if document_of(s) == document), 0)


@dataclass(frozen=True)
class Stacks:
    """The edits of a case that undo and redo go through.

    Attributes
    ----------
    done
        Edits that undo can take back, oldest first.
    undone
        Edits that redo can bring back, next one last.
    """

    done: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.done or self.undone)

    @property
    def nbytes(self) -> int:
        return sum(edit.nbytes for edit in itertools.chain(self.done, self.undone))

    @property
    def documents(self) -> frozenset[str]:
        """Everything that one of the edits changes."""
        edits = itertools.chain(self.done, self.undone)
        return frozenset(itertools.chain.from_iterable(edit.documents for edit in edits))

    def within(self, max_bytes: int) -> Stacks:
        """The steps nearest to the present that fit, those that can be undone first."""
        done = _nearest(self.done, max_bytes)
        rest = max_bytes - sum(edit.nbytes for edit in done)
        return Stacks(done, _nearest(self.undone, rest))

    def without(self, documents: Collection[str]) -> Stacks:
        """What is left when some documents are not there any more.

        An edit that changes such a document goes, and with it every edit further from the present
        that shares another document with it: taken back out of order, patches that overlap would
        leave labels that nobody drew.
        """
        return Stacks(
            tuple(reversed(_independent(reversed(self.done), documents))),
            tuple(reversed(_independent(reversed(self.undone), documents))),
        )

    def at(self, now: Mapping[str, int], wanted: Mapping[str, int]) -> Stacks | None:
        """The stacks as they are when other contents are present: those on disk.

        Parameters
        ----------
        now, wanted
            Revision of each document at present, and of those that will be present.

        Returns
        -------
        Stacks
            Edits that were taken back on the way are not offered to be redone. ``None`` when
            neither undo nor redo leads to ``wanted``.
        """
        count = _steps_until(reversed(self.done), now, wanted)
        if count is not None:
            undone = () if count else self.undone
            return Stacks(self.done[: len(self.done) - count], undone)
        count = _steps_until(reversed(self.undone), now, wanted)
        if count is None:
            return None
        left = len(self.undone) - count
        return Stacks(
            self.done + self.undone[: left - 1 if left else None : -1], self.undone[:left]
        )


#: No history.
NO_STACKS = Stacks()


def _nearest(edits: Sequence[Edit], max_bytes: int) -> tuple[Edit, ...]:
    """The last edits that fit together."""
    first = len(edits)
    while first > 0 and edits[first - 1].nbytes <= max_bytes:
        first -= 1
        max_bytes -= edits[first].nbytes
    return tuple(edits[first:])


def _independent(edits: Iterable[Edit], documents: Collection[str]) -> list[Edit]:
    """Edits, nearest to the present first, that can be undone without those of ``documents``."""
    lost, kept = set(documents), []
    for edit in edits:
        if lost.isdisjoint(edit.documents):
            kept.append(edit)
        else:
            lost |= edit.documents
    return kept


def _steps_until(
    edits: Iterable[Edit], now: Mapping[str, int], wanted: Mapping[str, int]
) -> int | None:
    """How many edits, undone or redone in this order, lead from ``now`` to ``wanted``."""
    away = {document: now.get(document, 0) ^ wanted[document] for document in wanted}
    away = {document: difference for document, difference in away.items() if difference}
    if not away:
        return 0
    for count, edit in enumerate(edits, start=1):
        for document in edit.documents & wanted.keys():
            difference = away.pop(document, 0) ^ edit.token_of(document)
            if difference:
                away[document] = difference
        if not away:
            return count
    return None


class History:
    """Undo and redo stacks, bounded in bytes.

    The oldest edits are forgotten first; the newest one is always kept, however large it is.
    """

    def __init__(self, max_bytes: int = 512 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._done: list[Edit] = []
        self._undone: list[Edit] = []
        self._nbytes = 0

    @property
    def max_bytes(self) -> int:
        """Most that the edits take together; a smaller one takes effect at once."""
        return self._max_bytes

    @max_bytes.setter
    def max_bytes(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._trim()

    @property
    def nbytes(self) -> int:
        """What the edits take."""
        return self._nbytes

    @property
    def done(self) -> Sequence[Edit]:
        """Edits that undo can take back, oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> Sequence[Edit]:
        """Edits that redo can bring back, next one last."""
        return tuple(self._undone)

    @property
    def stacks(self) -> Stacks:
        """Both at present."""
        return Stacks(tuple(self._done), tuple(self._undone))

    @property
    def undo_name(self) -> str | None:
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        return self._undone[-1].name if self._undone else None

    def push(self, edit: Edit) -> None:
        """Record an edit that has been applied; what was undone is forgotten."""
        self._nbytes += edit.nbytes - sum(undone.nbytes for undone in self._undone)
        self._undone.clear()
        self._done.append(edit)
        self._trim()

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

    def restore(self, earlier: Stacks) -> None:
        """Put edits of an earlier run below those that were made since.

        ``earlier`` must lead to the content that the masks had when this history began. What
        could be redone then cannot any more when something was done since.
        """
        if not (self._done or self._undone):
            self._undone[:] = earlier.undone
        self._done[:0] = earlier.done
        self._nbytes = self.stacks.nbytes
        self._trim()

    def forget(self, documents: Collection[str]) -> None:
        """Drop the edits of documents that are not there any more (see :meth:`Stacks.without`)."""
        left = self.stacks.without(documents)
        self._done[:], self._undone[:], self._nbytes = left.done, left.undone, left.nbytes

    def clear(self) -> None:
        self._done.clear()
        self._undone.clear()
        self._nbytes = 0

    def _trim(self) -> None:
        if self._nbytes <= self._max_bytes:
            return
        left = self.stacks.within(self._max_bytes)
        self._done[:] = left.done or self._done[-1:]
        self._undone[:] = left.undone
        self._nbytes = self.stacks.nbytes
