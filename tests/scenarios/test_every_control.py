"""Everything that can be pressed, moved or typed into says what it is for."""

from PyQt5.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollBar,
    QWidget,
)

from tests.cases_on_disk import write_case

CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)


def belongs_to_qt(widget: QWidget) -> bool:
    """Whether Qt made the widget as a part of another: a clear button, a scroll bar."""
    return (
        widget.objectName().startswith("qt_")
        or isinstance(widget, QScrollBar)
        or isinstance(widget.parentWidget(), QLineEdit)
    )


def test_every_control_has_a_tool_tip(user, tmp_path):
    write_case(tmp_path, "LV-1")
    user.open(tmp_path)
    controls = [
        widget
        for widget in user.program.window.findChildren(QWidget)
        if isinstance(widget, CONTROLS) and not belongs_to_qt(widget)
    ]
    assert len(controls) > 20
    silent = [
        f"{type(widget).__name__} {widget.objectName()!r} in {widget.parentWidget().objectName()!r}"
        for widget in controls
        if not widget.toolTip()
    ]
    assert silent == []
