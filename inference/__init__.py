"""Models and synthetic patients: a library, a command line and a worker around one contract.

Nothing here imports the labeling application or Qt, and importing this package loads nothing
heavy: pick the module that is needed.
"""
