"""The widgets: they draw what the state says and forward what the user did.

A widget knows the state and the commands, never another widget. Nothing in a handler takes
longer than a frame: it either stores and asks for a repaint, or submits a task.
"""
