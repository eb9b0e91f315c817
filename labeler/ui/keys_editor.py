"""Changing keys: choose an action, press the new key; a key that is taken is said so first."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import (
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from labeler.ui import formats, style
from labeler.ui.command_table import COMMANDS, Command
from labeler.ui.keys_dialog import add_group, add_row, filter_tree, key_tree

_ID = int(Qt.UserRole)
_BY_ID = {command.id: command for command in COMMANDS}


class KeysEditor(QWidget):
    """Table of commands with their keys, and a field that takes a new one.

    Parameters
    ----------
    keys
        Key by command id where it differs from the standard ("": none).
    """

    def __init__(self, keys: dict[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keysEditor")
        self._keys = {name: key for name, key in keys.items() if name in _BY_ID}
        self._rows: dict[str, QTreeWidgetItem] = {}
        self._search = QLineEdit(self)
        self._tree = key_tree(self, "keyChoices", ("Key", "Action", "What it does"))
        self._field = QKeySequenceEdit(self)
        self._take = QPushButton("Set key", self)
        self._none = QPushButton("No key", self)
        self._standard = QPushButton("Standard", self)
        self._warning = QLabel(self)
        self._dress()
        self._lay_out()
        self._fill()
        self._search.textChanged.connect(lambda text: filter_tree(self._tree, text))
        self._tree.currentItemChanged.connect(lambda *items: self._show_current())
        self._field.keySequenceChanged.connect(self._check)
        self._take.clicked.connect(self._set_key)
        self._none.clicked.connect(lambda checked=False: self._change(self.current, ""))
        self._standard.clicked.connect(lambda checked=False: self._change(self.current, None))
        self._tree.setCurrentItem(self._rows[COMMANDS[0].id])

    @property
    def current(self) -> str:
        """Id of the chosen command, "" when a heading is chosen."""
        item = self._tree.currentItem()
        return (item.data(0, _ID) or "") if item is not None else ""

    @property
    def warning(self) -> str:
        return self._warning.text()

    def keys(self) -> dict[str, str]:
        """Key by command id where it differs from the standard."""
        return dict(self._keys)

    def choose(self, command_id: str) -> None:
        """Put the cursor on a command."""
        self._tree.setCurrentItem(self._rows[command_id])

    def effective(self, command_id: str) -> tuple[str, ...]:
        """Keys of a command as they would be now."""
        own = self._keys.get(command_id)
        if own is None:
            return _BY_ID[command_id].keys
        return (own,) if own else ()

    def owner(self, key: str, but: str) -> Command | None:
        """Another command that has a key, in a perspective that a command is there in, too."""
        wanted, perspective = QKeySequence(key), _BY_ID[but].perspective
        for command in COMMANDS:
            if perspective and command.perspective not in ("", perspective):
                continue
            keys = self.effective(command.id)
            if command.id != but and any(QKeySequence(other) == wanted for other in keys):
                return command
        return None

    def _dress(self) -> None:
        self._search.setObjectName("keyEditSearch")
        self._search.setAccessibleName("Search actions")
        self._search.setPlaceholderText("Search action or key \u2026")
        self._search.setToolTip("Shows actions whose name, explanation or key holds the text")
        self._field.setObjectName("newKey")
        self._field.setAccessibleName("New key")
        self._field.setToolTip("Click here and press the new key")
        for button, name, tip in (
            (self._take, "setKey", "Give the chosen action this key"),
            (self._none, "noKey", "Take the chosen action's key away"),
            (self._standard, "standardKey", "Give the chosen action its standard key again"),
        ):
            button.setObjectName(name)
            button.setToolTip(tip)
            button.setAutoDefault(False)
        self._warning.setObjectName("keyWarning")
        self._warning.setProperty("look", True)
        self._warning.setWordWrap(True)

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(style.scaled(6))
        line.addWidget(self._field, 1)
        for button in (self._take, self._none, self._standard):
            line.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, style.scaled(8), 0, 0)
        layout.setSpacing(style.scaled(8))
        layout.addWidget(self._search)
        layout.addWidget(self._tree, 1)
        layout.addLayout(line)
        layout.addWidget(self._warning)

    def _fill(self) -> None:
        for menu in dict.fromkeys(command.menu for command in COMMANDS):
            group = add_group(self._tree, menu)
            for command in COMMANDS:
                if command.menu == menu:
                    row = add_row(group, ("", command.text.rstrip("\u2026"), command.tip))
                    row.setData(0, _ID, command.id)
                    self._rows[command.id] = row
                    self._show_keys(command.id)
        self._tree.expandAll()

    def _show_keys(self, command_id: str) -> None:
        keys = [formats.key(QKeySequence(key)) for key in self.effective(command_id)]
        self._rows[command_id].setText(0, ", ".join(keys))

    def _show_current(self) -> None:
        keys = self.effective(self.current) if self.current else ()
        self._field.setKeySequence(QKeySequence(keys[0]) if keys else QKeySequence())
        self._field.setEnabled(bool(self.current))
        self._check()

    def _chosen(self) -> str:
        """The first key of what was pressed: commands have no sequences of keys."""
        sequence = self._field.keySequence()
        return QKeySequence(sequence[0]).toString() if sequence.count() else ""

    def _check(self) -> None:
        name, key = self.current, self._chosen()
        owner = self.owner(key, name) if name and key else None
        self._take.setEnabled(bool(name and key) and key not in self.effective(name))
        for button in (self._none, self._standard):
            button.setEnabled(bool(name))
        if owner is None:
            self._warning.clear()
        else:
            text = formats.key(QKeySequence(key))
            words = owner.text.rstrip("\u2026")
            self._warning.setText(f"{text} is the key of \u201c{words}\u201d, which would lose it.")

    def _set_key(self) -> None:
        name, key = self.current, self._chosen()
        owner = self.owner(key, name)
        if owner is not None:
            rest = [k for k in self.effective(owner.id) if QKeySequence(k) != QKeySequence(key)]
            self._change(owner.id, rest[0] if rest else "")
        self._change(name, key)

    def _change(self, command_id: str, key: str | None) -> None:
        """Set the key of a command; ``None`` goes back to the standard."""
        if not command_id:
            return
        if key is None or (key,) == _BY_ID[command_id].keys:
            self._keys.pop(command_id, None)
        else:
            self._keys[command_id] = key
        self._show_keys(command_id)
        if command_id == self.current:
            self._show_current()
