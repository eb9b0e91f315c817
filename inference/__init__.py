"""Models and phantoms: a library, a command line and a worker process around one contract.

A model turns images into masks, landmarks or measures. The package imports nothing from
``labeler`` and nothing from Qt, so a server, a training job or another program can use it
alone; what the window may use of it is ``contract``, ``registry``, ``worker`` and ``metrics``.
"""
