#!/usr/bin/env python3
"""Measure cds-export beside lftp and rclone: all move the files of a local directory into one FTP
directory.

As compare.py does. cds-export gives files their names when they are whole, never overwrites one
that is there, and keeps notes on the disk, so that a kill neither loses nor doubles a file; the
others don't.

    bin/py benchmarks/export.py --files 2000 --rounds 5
"""
import functools
import os
import shutil
import sys


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))      # a buildout's bin/py does not

from compare import all_programs, check, fill, main, new_spool


class Export:
    """From the spool's new into the FTP directory."""

    text = __doc__
    programs = staticmethod(functools.partial(
        all_programs, 'cds-export', 'export', '-R %s/new /', '%s/new', ':ftp:/'))

    @staticmethod
    def prepare(server, files):
        server.clear()
        store = new_spool()
        fill(os.path.join(store, 'new'), files)
        return store

    @staticmethod
    def remove(store):
        shutil.rmtree(store)

    @staticmethod
    def check(program, server, store, files):
        new = os.path.join(store, 'new')        # rclone removes it
        check(program, files,
              {name: os.path.join(server.directory, name) for name in os.listdir(server.directory)},
              os.listdir(new) if os.path.isdir(new) else [])


if __name__ == '__main__':
    main(Export)
