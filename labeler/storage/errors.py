"""What reading and writing can end in; every message is one sentence for the user."""


class ImageError(Exception):
    """An image or mask that cannot be used; the message names the file and the reason."""


class SaveError(Exception):
    """Nothing was written: the file that was there is intact and no half-written one is left."""


class ConflictError(SaveError):
    """The file on disk is not the one that was read; it was left as it is."""
