"""Exporters and importers on one directory at the same time. tools/circle does this with more of
them, and more files.
"""
import os

from zeit.cds.testing.layers import on_servers, PUREFTPD_LAYER, VSFTPD_LAYER
from zeit.cds.tests.crash import circle


class Circle:

    def test_two_exporters_and_two_importers(self):
        exported, imported, published = circle.run(self.server, 200, exporters=2, importers=2)
        self.assertEqual(['file-%06d.xml' % n for n in range(200)], sorted(published))
        self.assertEqual((200, 200), (exported.files, imported.files))
        self.assertEqual((0, 0), (exported.overlaps, imported.overlaps))
        self.assertEqual([], exported.errors + imported.errors)
        self.assertEqual([], os.listdir(self.server.directory))


def test_suite():
    return on_servers(Circle, [PUREFTPD_LAYER, VSFTPD_LAYER])
