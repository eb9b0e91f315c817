"""The bar above the views: tools, active label, brush, undo, save, done."""

from __future__ import annotations

from PyQt5.QtCore import QPoint, QSize, Qt
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import (
    QActionGroup,
    QFrame,
    QHBoxLayout,
    QLayout,
    QMenu,
    QSizePolicy,
    QWidget,
)

from labeler.state.perspective import PERSPECTIVES, SPINE
from labeler.ui import formats, style
from labeler.ui.badges import dot_icon
from labeler.ui.commands import Commands
from labeler.ui.label_picker import LabelPopup
from labeler.ui.tool_button import ToolButton
from labeler.ui.tool_options import ToolOptions
from labeler.workflows.workspace import Workspace

TOOLS = (
    "tool.navigate",
    "tool.contour",
    "tool.brush",
    "tool.eraser",
    "tool.contour_erase",
    "tool.fill",
)

#: Tools behind the button "More".
MORE_TOOLS = (
    "tool.outline",
    "tool.livewire",
    "tool.grow",
    "tool.scribble",
    "tool.split",
    "tool.axes",
)

#: Tools and acts of the spine perspective; those of the second line lose their words first.
SPINE_TOOLS = ("tool.centroid", "tool.centroid_add", "spine.snap")
SPINE_ACTS = (
    "spine.shift_up",
    "spine.shift_down",
    "spine.below_down",
    "spine.insert",
    "spine.swap",
)

#: Shown while something waits to be accepted.
PREVIEW_COMMANDS = ("preview.accept", "preview.accept_slice", "preview.cancel")

#: Longest name of an edit on the undo button, in characters.
MAX_UNDO_NAME = 28


class ToolPanel(QWidget):
    """Tool bar that gives up words before it gives up buttons.

    Parameters
    ----------
    ws
        State of the window.
    commands
        Its buttons show these actions; undo and redo get their names here.
    """

    def __init__(self, ws: Workspace, commands: Commands, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolPanel")
        self.setAccessibleName("Tools")
        self.setAttribute(Qt.WA_StyledBackground)
        self._ws = ws
        self._commands = commands
        self._switch = [self._button(f"view.{name}") for name in PERSPECTIVES]
        self._tools = {name: self._button(name) for name in TOOLS}
        self._spine_tools = [self._button(name) for name in SPINE_TOOLS]
        self._spine_acts = [self._button(name) for name in SPINE_ACTS]
        self._label = ToolButton(self)
        self._more = ToolButton(self)
        self._options = ToolOptions(ws, commands, self)
        self._undo = self._button("edit.undo")
        self._redo = self._button("edit.redo", words=False)
        self._redo.set_caption(None, hint="")
        self._preview = [self._button(name) for name in PREVIEW_COMMANDS]
        self._save = self._button("file.save")
        self._done = self._button("case.done")
        self._next_doubt = self._button("spine.next_doubt")
        self._accept = self._button("spine.accept")
        self._dress_label_button()
        self._dress_more_button()
        self._lay_out()
        self._connect()
        self._show_selection()
        self._show_tool(ws.selection.tool)
        self._show_history()

    @property
    def is_compact(self) -> bool:
        """Whether tools are shown without their names."""
        return not self._tools[TOOLS[0]].shows_words

    def minimumSizeHint(self) -> QSize:
        # not the sum of the buttons: the bar gives up words when it becomes narrower
        return QSize(style.scaled(200), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_words()

    def _button(self, command_id: str, *, words: bool = True) -> ToolButton:
        button = ToolButton(self)
        button.setDefaultAction(self._commands.action(command_id))
        button.setObjectName(f"button.{command_id}")
        button.set_shows_words(words)
        return button

    def _dress_label_button(self) -> None:
        self._label.setObjectName("activeLabel")
        self._label.setAccessibleName("Active label")
        self._label.set_has_menu(True)
        self._label.clicked.connect(self._choose_label)

    def _dress_more_button(self) -> None:
        self._more.setObjectName("moreTools")
        self._more.setToolTip("More tools")
        self._more.setCheckable(True)
        self._more.set_has_menu(True)
        self._more.clicked.connect(self._choose_more)

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(*(style.scaled(px) for px in (8, 4, 8, 4)))
        layout.setSpacing(style.scaled(2))
        layout.setSizeConstraint(QLayout.SetNoConstraint)
        for button in self._switch:
            button.setProperty("switch", True)
            button.set_caption(None, hint="")
            layout.addWidget(button)
        layout.addWidget(_gap(self))
        for button in (*self._tools.values(), *self._spine_tools):
            layout.addWidget(button)
        layout.addWidget(self._more)
        layout.addWidget(_gap(self))
        for button in self._spine_acts:
            layout.addWidget(button)
        layout.addWidget(self._label)
        layout.addWidget(self._options)
        for button in self._preview:
            layout.addWidget(button)
        layout.addWidget(_gap(self))
        layout.addWidget(self._undo)
        layout.addWidget(self._redo)
        layout.addStretch(1)
        layout.addWidget(self._next_doubt)
        layout.addWidget(self._save)
        layout.addWidget(self._done)
        layout.addWidget(self._accept)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)

    def _connect(self) -> None:
        selection, session = self._ws.selection, self._ws.session
        selection.changed.connect(self._show_selection)
        selection.tool_changed.connect(self._show_tool)
        session.history_changed.connect(self._show_history)
        session.case_opened.connect(self._show_history)
        session.changed.connect(self._show_saved)
        for button in self._preview:
            button.defaultAction().changed.connect(self._show_preview)
        self._ws.perspective.changed.connect(self._show_perspective)
        self._show_perspective(self._ws.perspective.name)
        group = QActionGroup(self)  # a click on the active tool must not switch it off
        for name in (*TOOLS, *MORE_TOOLS, *SPINE_TOOLS[:2]):
            group.addAction(self._commands.action(name))

    def _show_perspective(self, name: str) -> None:
        """Show the buttons of a perspective."""
        liver: tuple[QWidget, ...] = (*self._tools.values(), self._more, self._label, self._done)
        spine: tuple[QWidget, ...] = (
            *self._spine_tools, *self._spine_acts, self._next_doubt, self._accept
        )  # fmt: skip
        for widget in (*liver, *spine):
            widget.setVisible((widget in spine) == (name == SPINE))
        self._show_preview()

    def _show_tool(self, tool: str) -> None:
        action, is_more = self._commands.action(tool), tool in MORE_TOOLS
        action.setChecked(True)
        self._more.setChecked(is_more)
        more = style.icon("mdi6.dots-horizontal")
        self._more.setIcon(action.icon() if is_more else more)
        self._more.set_caption(
            action.text() if is_more else "More",
            formats.key(action.shortcut()) if is_more else "",
        )
        self._fit_words()

    def _choose_more(self) -> None:
        self._more.setChecked(self._ws.selection.tool in MORE_TOOLS)  # the menu decides
        menu = QMenu(self)
        menu.setObjectName("moreToolsMenu")
        menu.setAttribute(Qt.WA_DeleteOnClose)
        for name in MORE_TOOLS:
            menu.addAction(self._commands.action(name))
        menu.popup(self._more.mapToGlobal(QPoint(0, self._more.height())))

    def _show_selection(self) -> None:
        selection = self._ws.selection
        label = self._ws.session.labels[selection.label]
        locked = selection.mask is not None and selection.is_locked(selection.mask, label.value)
        self._label.set_swatch(label.colour)
        self._label.set_caption(label.name, "locked" if locked else "")
        where = f" into {selection.mask}" if selection.mask else ""
        self._label.setToolTip(f"Edits write label {label.value}, {label.name}{where}")
        self._fit_words()

    def _choose_label(self) -> None:
        popup = LabelPopup(self._ws.session.labels, self._ws.selection.label, self)
        popup.chosen.connect(self._ws.selection.set_label)
        popup.open_at(self._label.mapToGlobal(QPoint(0, self._label.height())))

    def _show_history(self) -> None:
        history = self._ws.session.history
        self._name_action("edit.undo", "Undo", history.undo_name)
        self._name_action("edit.redo", "Redo", history.redo_name)
        self._undo.set_caption(_quoted("Undo", history.undo_name))
        self._show_saved()
        self._fit_words()

    def _show_preview(self) -> None:
        """Show the buttons of an offer instead of the options while there is one."""
        for button in self._preview:
            button.setVisible(button.defaultAction().isEnabled())
        is_asked = any(button.defaultAction().isEnabled() for button in self._preview)
        self._options.setVisible(not is_asked and self._ws.perspective.name != SPINE)
        self._fit_words()

    def _name_action(self, command_id: str, verb: str, name: str | None) -> None:
        action = self._commands.action(command_id)
        action.setEnabled(name is not None)
        action.setText(f"{verb} {name}" if name else verb)
        key = formats.key(action.shortcut())
        what = f"{verb} \u201c{name}\u201d" if name else f"Nothing to {verb.lower()}"
        action.setToolTip(f"{what}  ({key})" if key else what)

    def _show_saved(self) -> None:
        dirty = self._ws.session.is_dirty
        self._save.set_mark(dot_icon(style.AMBER, 7) if dirty else None)

    def _fit_words(self) -> None:
        """Show names while there is room; without it buttons keep icon and key, undo its icon."""
        for tools, options, undo in (
            (True, True, True),
            (False, True, True),
            (False, False, True),
            (False, False, False),
        ):
            for button in (*self._tools.values(), *self._spine_tools, self._more, self._save):
                button.set_shows_words(tools)
            for button in self._spine_acts:
                button.set_shows_words(options)
            self._options.set_shows_words(options)
            self._undo.set_shows_words(undo)
            # its buttons have told it, and it will tell the bar: too late for the next line
            self._options.layout().activate()
            self._options.updateGeometry()
            self.layout().invalidate()
            if self.layout().minimumSize().width() <= self.width():
                break


def _quoted(verb: str, name: str | None) -> str:
    if not name:
        return verb
    if len(name) > MAX_UNDO_NAME:
        name = name[: MAX_UNDO_NAME - 1].rstrip() + "\u2026"
    return f"{verb} \u201c{name}\u201d"


def _gap(parent: QWidget) -> QWidget:
    """Make the thin upright line between groups of buttons, with room around it."""
    holder = QWidget(parent)
    holder.setFixedSize(QSize(style.scaled(15), style.scaled(20)))
    line = QFrame(holder)
    line.setProperty("upright", True)
    line.setGeometry(holder.width() // 2, 0, 1, holder.height())
    return holder
