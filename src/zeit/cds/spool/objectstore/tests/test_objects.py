"""Requests to a store: what is too large for one, and what is sent twice."""
import unittest
import unittest.mock

from zeit.cds.interfaces import SpoolError
from zeit.cds.spool.objectstore import objects
from zeit.cds.spool.objectstore.outbox import Record
from zeit.cds.spool.objectstore.tests.cases import InStore
from zeit.cds.spool.objectstore.utilities import ObjectSink
from zeit.cds.testing.layers import on_servers, STORE_LAYERS


class Requests(InStore):

    def test_a_large_object_is_asked_for_in_parts(self):
        """The store's library limits the time of a request as a whole."""
        data = bytes(range(256)) * 4
        self.make('new/a', data)
        found = self.objects.head('new/a')
        for size in 1, 100, 1023, 1024, 1025:
            with unittest.mock.patch.object(objects, 'RANGE', size):
                for known in found, None:
                    self.assertEqual(data, b''.join(self.objects.pieces('new/a', 50, known)))
        self.make('new/empty', b'')
        self.assertEqual([], list(self.objects.pieces('new/empty', 50)))

    def test_one_that_is_replaced_meanwhile_is_an_error(self):
        for is_known in True, False:
            self.make('new/a', b'old' * 10)
            found = self.objects.head('new/a') if is_known else None
            with unittest.mock.patch.object(objects, 'RANGE', 5):
                pieces = self.objects.pieces('new/a', 5, found)
                next(pieces)
                self.make('new/a', b'new' * 10)
                with self.assertRaises(SpoolError):
                    list(pieces)

    def test_what_is_put_twice_for_its_answer_was_lost_is_no_error(self):
        put, twice = self.objects.put, []

        def put_twice(key, data, metadata):
            twice.append(key)
            put(key, data, metadata)
            put(key, data, metadata)
        with unittest.mock.patch.object(objects.Objects, 'put', lambda _, *args: put_twice(*args)):
            with ObjectSink().open(self.the_feed()) as spool:
                spool.new_upload('identity').stop()
            Record(self.objects, 7).add(['a'])
        self.assertEqual(2, len(twice))


def test_suite():
    return unittest.TestSuite([on_servers(Requests, STORE_LAYERS)])
