"""Everything on disk: cases, images, masks, reports, and the folders they are found in.

The rest of the program names files, this package opens them. Reading turns bad input into one
sentence a person can act on; writing goes through one function that never leaves a half-written
file behind. No Qt: the package works in a thread, in a script and on a server alike.
"""
