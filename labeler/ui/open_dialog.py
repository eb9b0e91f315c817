"""Choosing the folders: images, masks, reports; says what would be found before it is opened."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from labeler.core.volume import PHASES
from labeler.state.tasks import TaskContext
from labeler.storage.cases import CaseSet, find_reports, scan_batches
from labeler.storage.layouts import LAYOUTS
from labeler.ui import formats, style
from labeler.ui.dialog import Dialog
from labeler.ui.panel_header import quiet_button
from labeler.workflows.open_folder import Roots
from labeler.workflows.recent_folders import recent_roots
from labeler.workflows.workspace import Workspace

PREVIEW_TASK = ("open preview",)
PREVIEW_DELAY_MS = 250

LAYOUT_TEXTS = {
    "case-folders": "a folder per case",
    "phase-folders": "a folder per phase, cases in each",
    "nnunet": "nnU-Net (case_0000.nii.gz \u2026)",
    "msd": "Medical Segmentation Decathlon, LiTS",
    "flat": "files side by side",
    "dicom": "DICOM folders",
}

_ROOTS = int(Qt.UserRole)


class OpenDialog(Dialog):
    """Folders of images and masks are chosen independently; reports are files.

    Parameters
    ----------
    ws
        State of the window; recent folders come from its settings, the preview runs in its tasks.
    now
        Folders that are open.
    """

    def __init__(self, ws: Workspace, now: Roots | None, parent: QWidget | None = None) -> None:
        super().__init__("openDialog", "Open folders", "Open", parent)
        self._ws = ws
        self._images = _path_field(
            self, "imageRoot", "Folder of images", "Choose the folder \u2026"
        )
        self._masks = _path_field(self, "maskRoot", "Folder of masks", "Found by itself")
        self._layout_box = QComboBox(self)
        self._reports = QListWidget(self)
        self._recent = QListWidget(self)
        self._preview = QLabel(self)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PREVIEW_DELAY_MS)
        self._timer.timeout.connect(self._look)
        self._dress()
        self._lay_out()
        for field in (self._images, self._masks):
            field.textChanged.connect(self._changed)
        self._layout_box.currentIndexChanged.connect(self._changed)
        self._recent.itemClicked.connect(lambda item: self.set_roots(item.data(_ROOTS)))
        self._recent.itemActivated.connect(lambda item: self.set_roots(item.data(_ROOTS)))
        self.finished.connect(lambda result: self._stop_looking())
        if now is not None:
            self.set_roots(now)
        self._changed()
        self.resize(style.scaled(760), style.scaled(430))

    @property
    def preview(self) -> str:
        """What would be found, in words."""
        return self._preview.text()

    def roots(self) -> Roots:
        """What was chosen."""
        masks = self._masks.text().strip()
        items = [self._reports.item(row).text() for row in range(self._reports.count())]
        return Roots(
            Path(self._images.text().strip()).expanduser(),
            Path(masks).expanduser() if masks else None,
            tuple(Path(text) for text in items),
            self._layout_box.currentData(),
        )

    def set_roots(self, roots: Roots) -> None:
        """Fill the fields."""
        self._images.setText(str(roots.images))
        self._masks.setText("" if roots.masks is None else str(roots.masks))
        self._layout_box.setCurrentIndex(max(0, self._layout_box.findData(roots.layout)))
        self._reports.clear()
        self._reports.addItems([str(path) for path in roots.reports])

    def _dress(self) -> None:
        self._layout_box.setObjectName("layoutChoice")
        self._layout_box.setAccessibleName("Layout")
        self._layout_box.setToolTip("How cases lie in the folder; usually found by itself")
        self._layout_box.addItem("Found by itself", None)
        for name in LAYOUTS:
            self._layout_box.addItem(f"{name}: {LAYOUT_TEXTS[name]}", name)
        self._reports.setObjectName("reportFiles")
        self._reports.setAccessibleName("Report files")
        self._reports.setToolTip("CSV files; none: those beside the images are taken")
        self._reports.setMaximumHeight(style.scaled(76))
        self._recent.setObjectName("recentFolders")
        self._recent.setAccessibleName("Recent folders")
        self._recent.setToolTip("A click fills the fields")
        self._preview.setObjectName("openPreview")
        self._preview.setAccessibleName("What would be found")
        self._preview.setWordWrap(True)
        self._preview.setTextFormat(Qt.PlainText)
        self._preview.setMinimumHeight(style.scaled(54))
        self._preview.setAlignment(Qt.AlignTop)
        for roots in recent_roots(self._ws.settings):
            masks = "" if roots.masks is None else f"  \u00b7  {roots.masks.name}"
            name = f"{roots.images.parent.name}/{roots.images.name}"
            item = QListWidgetItem(f"{name}{masks}", self._recent)
            item.setToolTip(str(roots.images))
            item.setData(_ROOTS, roots)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(style.scaled(12))
        form.setVerticalSpacing(style.scaled(9))
        form.addRow("Images", self._with_browse(self._images, "Choose the folder of images"))
        form.addRow("Masks", self._with_browse(self._masks, "Choose the folder of masks"))
        form.addRow("Layout", self._layout_box)
        form.addRow("Reports", self._report_part())
        left = QVBoxLayout()
        left.addLayout(form)
        left.addWidget(self._preview)
        left.addStretch(1)
        parts = QHBoxLayout()
        parts.setSpacing(style.scaled(16))
        parts.addLayout(left, 3)
        if self._recent.count():
            right = QVBoxLayout()
            title = QLabel("Recent", self)
            title.setProperty("heading", True)
            title.setFont(style.heading_font())
            right.addWidget(title)
            right.addWidget(self._recent, 1)
            parts.addLayout(right, 2)
        else:
            self._recent.hide()
        self.content.addLayout(parts)

    def _with_browse(self, field: QLineEdit, tip: str) -> QWidget:
        holder = QWidget(self)
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        name = f"browse.{field.objectName()}"
        button = quiet_button(holder, name, tip, icon="mdi6.folder-open-outline")
        button.clicked.connect(lambda checked=False: self._browse(field, tip))
        line.addWidget(field, 1)
        line.addWidget(button)
        return holder

    def _report_part(self) -> QWidget:
        holder = QWidget(self)
        line = QHBoxLayout(holder)
        line.setContentsMargins(0, 0, 0, 0)
        add = quiet_button(holder, "addReports", "Add CSV files", icon="mdi6.plus")
        add.clicked.connect(self._add_reports)
        drop = quiet_button(holder, "dropReports", "Leave the chosen file out", icon="mdi6.minus")
        drop.clicked.connect(
            lambda checked=False: self._reports.takeItem(self._reports.currentRow())
        )
        buttons = QVBoxLayout()
        buttons.addWidget(add)
        buttons.addWidget(drop)
        buttons.addStretch(1)
        line.addWidget(self._reports, 1)
        line.addLayout(buttons)
        return holder

    def _browse(self, field: QLineEdit, title: str) -> None:
        start = field.text() or self._images.text()
        folder = QFileDialog.getExistingDirectory(self, title, start)
        if folder:
            field.setText(folder)

    def _add_reports(self) -> None:
        start = self._images.text()
        paths, _ = QFileDialog.getOpenFileNames(self, "Add reports", start, "Tables (*.csv *.tsv)")
        known = {self._reports.item(row).text() for row in range(self._reports.count())}
        self._reports.addItems([path for path in paths if path not in known])

    def _changed(self) -> None:
        has_images = bool(self._images.text().strip())
        assert self.ok is not None
        self.ok.setEnabled(has_images)
        self._preview.setText("Looking \u2026" if has_images else "")
        self._timer.start() if has_images else self._timer.stop()

    def _look(self) -> None:
        self._ws.tasks.submit(
            "io",
            PREVIEW_TASK,
            look_at_folders,
            self.roots(),
            done=self._preview.setText,
            failed=lambda error: self._preview.setText(str(error)),
        )

    def _stop_looking(self) -> None:
        self._timer.stop()
        self._ws.tasks.cancel(PREVIEW_TASK)


def look_at_folders(context: TaskContext, roots: Roots) -> str:
    """Say what a folder holds; a background task.

    Only the first cases are assembled, so that a large folder on a slow drive answers soon.
    """
    batches = scan_batches(
        roots.images, roots.masks, roots.layout, should_stop=lambda: context.is_cancelled
    )
    first = next(batches)
    context.check()
    reports = [] if roots.reports else find_reports(roots.images)
    return describe(first, len(reports))


def describe(found: CaseSet, report_count: int) -> str:
    """Put what was found into words."""
    lines = []
    if found.total:
        lines.append(f"{formats.count(found.total, 'case')}, layout {found.layout}.")
    if found.cases:
        case = found.cases[0]
        phases = [phase for phase in PHASES if phase in case.phases] or ["phases are read later"]
        masks = ", ".join(mask.name for mask in case.masks) or "no mask"
        lines.append(f"First: {case.id} ({' '.join(phases)}; {masks}).")
        lines.append(f"Masks in {found.mask_root}.")
    if report_count:
        lines.append(f"{formats.count(report_count, 'report file')} beside the images.")
    return "\n".join([*lines, *found.problems])


def _path_field(parent: QWidget, name: str, words: str, hint: str) -> QLineEdit:
    field = QLineEdit(parent)
    field.setObjectName(name)
    field.setAccessibleName(words)
    field.setToolTip(words)
    field.setPlaceholderText(hint)
    field.setClearButtonEnabled(True)
    return field
