"""The texts beside the code, each of them."""
import importlib.resources
import unittest

import zope.component.testing

import zeit.cds.testing


# What a text needs that is not here begins with an empty component registry,
# as in an interpreter that loaded no ZCML.
LAYERS = {}


def texts():
    """Return the names of all texts of the package, list of str."""
    return sorted(entry.name for entry in importlib.resources.files('zeit.cds').iterdir()
                  if entry.name.endswith('.txt'))


def suite_of(name):
    layer = LAYERS.get(name)
    if layer is not None:
        return zeit.cds.testing.DocFileSuite(name, layer=layer)
    return zeit.cds.testing.DocFileSuite(
        name, setUp=zope.component.testing.setUp, tearDown=tear_down)


def tear_down(test):
    """Put back what a text that failed halfway left."""
    zeit.cds.testing.stop_ftp_server()
    zeit.cds.testing.stop_logging()
    zope.component.testing.tearDown()


def test_suite():
    return unittest.TestSuite(suite_of(name) for name in texts())
