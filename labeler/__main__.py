"""``python -m labeler`` is ``ct-labeler``."""

from labeler.cli import main

main()
