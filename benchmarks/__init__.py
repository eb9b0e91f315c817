"""The program's figures, each measured against a baseline in the same run.

``python -m benchmarks`` runs every row, prints a table and writes ``out/bench.json``.

A row is a function with the :func:`~benchmarks.registry.row` decorator in any module of this
package. It prepares what it needs and returns a :class:`~benchmarks.registry.Pair` of functions
to time (ours, and the baseline if there is one), or a :class:`~benchmarks.registry.Measured`
figure when it is not a time (memory, the longest stall)::

    @row("contours", baseline="skimage.find_contours", reach_ratio=0.2)
    def contours() -> Pair:
        labels = axial_slice()
        return Pair(lambda: label_contours(labels), lambda: find_contours(labels, 0.5))

Ours and the baseline run in turns, so that a busy machine slows both. Absolute times depend on
the machine; the ratio of the medians is what counts.
"""

import labeler  # noqa: F401 - before numpy, of which it sets how it gets memory
