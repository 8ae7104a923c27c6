"""Sessions with a directory of the local file system, or of a mount.

For whoever delivers to a share, and to show how little a session takes: nothing here knows of
pipelining, of the scheduler, or of other rooms.
"""
