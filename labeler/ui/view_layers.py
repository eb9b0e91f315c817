"""What lies over the image of a view and belongs to the patient: axes of a region, centroids."""

from __future__ import annotations

from PyQt5.QtGui import QPainter

from labeler.ui.edit_tools_axes import paint_axes
from labeler.ui.spine_marks import paint_centroids
from labeler.ui.view_gestures import Canvas


def paint_layers(painter: QPainter, canvas: Canvas) -> None:
    """Draw all of them over the image of a view."""
    paint_axes(painter, canvas)
    paint_centroids(painter, canvas)
