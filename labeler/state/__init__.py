"""What is open and what is shown: the one place that widgets read from and listen to.

Objects here are plain QtCore objects, live in the main thread only and emit one signal per
change. They hold no widgets and do no work: computing belongs to ``labeler.core``, and a
user's act belongs to ``labeler.workflows``.
"""
