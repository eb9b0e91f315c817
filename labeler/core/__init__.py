"""Arrays and geometry: volumes, masks, labels, edits and what can be computed from them.

Everything here is a pure function of its arguments or a small value type. The package imports
no Qt, opens no files and starts no threads, so that the same code serves the window, the
command line, the tests and the model side.
"""
