"""Going from case to case: unsaved edits are asked about once, then the next case opens."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtSignal

from labeler.ui.choose_dialogs import Answer
from labeler.workflows.keep_journal import JournalKeeper
from labeler.workflows.open_case import CaseOpener
from labeler.workflows.open_folder import Roots, Worklist
from labeler.workflows.review_case import set_status
from labeler.workflows.save_case import CaseSaver
from labeler.workflows.workspace import Workspace


class CaseSwitcher(QObject):
    """Opens, leaves and finishes cases.

    Parameters
    ----------
    ask
        Asks the user what to do with the unsaved edits of a case (its id is given).
    ask_to_leave
        Asks the user whether to leave a case although saving it does not come to an end.
    neighbour
        Finds the case some rows below another one, in the order the user sees.

    Signals
    -------
    said
        A sentence for the status bar.
    stayed
        The user chose to stay with the open case (its id).
    """

    said = pyqtSignal(str)
    stayed = pyqtSignal(str)

    def __init__(
        self,
        ws: Workspace,
        worklist: Worklist,
        opener: CaseOpener,
        saver: CaseSaver,
        journal: JournalKeeper,
        ask: Callable[[str], Answer],
        ask_to_leave: Callable[[str], bool],
        neighbour: Callable[[str | None, int], str | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._ws = ws
        self._worklist = worklist
        self._opener = opener
        self._saver = saver
        self._journal = journal
        self._ask = ask
        self._ask_to_leave = ask_to_leave
        self._is_ending = False
        self._neighbour = neighbour

    def leave(self, then: Callable[[], None]) -> None:
        """Go on with ``then`` once nothing unsaved would be lost."""
        if self._saver.is_saving:  # what is being written is not to be asked about
            self._saver.when_idle(lambda: self.leave(then))
            return
        case = self._ws.session.case
        if case is None or not self._ws.session.is_dirty:
            then()
            return
        case_id, answer = case.id, self._ask(case.id)
        if answer == "save":
            self._saver.save(lambda ok: then() if ok else self.stayed.emit(case_id))
        elif answer == "discard":
            then()
        else:
            self.stayed.emit(case_id)

    def quit(self, then: Callable[[], None]) -> None:
        """End the program with ``then`` once nothing unsaved would be lost.

        A save that is under way is waited for. Who wants to end once more meanwhile is asked
        whether to leave without its end; what it was to save is in the journal.
        """
        case = self._ws.session.case
        if not self._saver.is_saving or case is None:
            self.leave(then)
        elif not self._is_ending:
            self._is_ending = True
            self.said.emit(f"{case.id} is being saved; the window closes when that is done")
            self._saver.when_idle(lambda: self._saving_ended(then))
        elif self._ask_to_leave(case.id) and self._saver.is_saving:
            self._journal.keep_unsaved()
            then()

    def _saving_ended(self, then: Callable[[], None]) -> None:
        self._is_ending = False
        self.leave(then)

    def open_case(self, case_id: str) -> None:
        """Open a case of the worklist."""
        if case_id != self._opener.current_id:
            self.leave(lambda: self._opener.open(case_id))

    def reopen_case(self) -> None:
        """Read the open case anew (its files were assigned differently)."""
        case_id = self._opener.current_id

        def then() -> None:
            if case_id is not None and case_id == self._opener.current_id:
                self.leave(lambda: self._opener.open(case_id))

        if case_id is not None:
            self._worklist.reread(case_id, then)

    def go(self, step: int) -> None:
        """Open the case ``step`` rows below; with no case open, the first of the list."""
        case_id = self._neighbour(self._opener.current_id, step)
        if case_id is None:
            self.said.emit("This is the last case." if step > 0 else "This is the first case.")
        else:
            self.open_case(case_id)

    def finish_case(self, following: Callable[[str | None], str | None] | None = None) -> None:
        """Mark the open case done, save it and open the next one.

        Parameters
        ----------
        following
            Finds the case after another one; the row below by default.
        """
        case = self._ws.session.case
        if case is None:
            return
        if self._ws.session.read_only_reason:
            self.said.emit(self._ws.session.read_only_reason)
            return
        set_status(self._ws, "done")

        def saved(ok: bool) -> None:
            if not ok:
                return
            if following is None:
                self.go(1)
                return
            case_id = following(case.id)
            if case_id is None:
                self.said.emit("Every case of the list is done.")
            else:
                self.open_case(case_id)

        self._saver.save(saved)

    def open_roots(self, roots: Roots) -> None:
        """Show the cases of other folders."""

        def then() -> None:
            self._opener.close()
            self._worklist.open_roots(roots)

        self.leave(then)
