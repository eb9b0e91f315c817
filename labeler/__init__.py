"""CT Labeler: look at four-phase CT, judge what a model drew, correct it, save it.

The package is a stack of layers, and each imports only what stands below it::

    cli, app    entry points; ``app`` is the only place where parts are wired together
    ui          widgets: draw and forward
    workflows   what a user does, without widgets
    state       what is open and shown, main thread only (QtCore)
    storage     everything on disk; one function writes files
    core        arrays and geometry: no Qt, no files, no threads

``labeler.core`` and ``labeler.storage`` are usable as a library without a display.
The models live in the separate package ``inference``, which knows nothing of this one.
"""

import os

__version__ = "0.1.0"

# numpy asks Linux for huge pages. For volumes of 150 MB, in memory that is in pieces, the system
# then moves other pages together first: reading takes two to four times as long, and every thread
# that touches new memory waits, the window's too. Set before numpy is imported.
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
