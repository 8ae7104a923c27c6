"""What is known of the names on the server, and which may be exported together."""
import unittest

from zeit.cds.interfaces import Entry
from zeit.cds.transfer.naming import Naming


class Names(unittest.TestCase):

    def naming(self, replace=False, **known):
        naming = Naming(replace)
        for name, value in known.items():
            setattr(naming, name, value)
        return naming

    def test_which_are_free(self):
        for known, free in (
                ({}, False), ({'replace': True}, True), ({'ours': {'A'}}, True),
                ({'ours': {'a'}}, False), ({'listed': set()}, True), ({'listed': {'a'}}, False),
                ({'listed': {'a'}, 'ours': {'A'}}, True), ({'listed': {'b'}}, True)):
            self.assertEqual(free, self.naming(**known).is_free('A'), known)

    def test_which_are_stored_directly(self):
        naming = self.naming()
        self.assertFalse(naming.is_direct('a'))
        naming.refused['a'] = None
        self.assertEqual((True, False), (naming.is_direct('a'), naming.is_direct('b')))
        naming.direct = True
        self.assertTrue(naming.is_direct('b'))

    def test_which_are_of_other_files(self):
        for known, other in (({}, False), ({'chosen': {'A'}}, True), ({'chosen': {'a'}}, False),
                             ({'listed': {'a'}}, True), ({'listed': {'b'}}, False)):
            self.assertEqual(other, self.naming(**known).is_of_another('A'), known)

    def export(self, *names, **known):
        """Lists of names, and the Naming."""
        naming = self.naming(**known)
        return [[entry.name for entry in some] for some in naming.one_at_a_time(
            [Entry(name) for name in names])], naming

    def test_all_at_once_if_none_can_be_taken_for_another(self):
        self.assertEqual([['b', 'a']], self.export('b', 'a')[0])

    def test_one_after_the_other_if_they_differ_in_case_only(self):
        names, naming = self.export('b', 'Ab', 'AB', 'aB', 'B', 'c', replace=True)
        self.assertEqual([['Ab', 'b', 'c'], ['AB', 'B'], ['aB']], names)
        for name, other in ('AB', 'Ab'), ('aB', 'AB'), ('B', 'b'):
            self.assertFalse(naming.is_free(name))
            self.assertEqual("the server has a file of this name, or does not tell it from that of "
                             "%s; it waits in 'new'" % other, naming.objection(name))
        for name in 'Ab', 'b', 'c':
            self.assertTrue(naming.is_free(name))
            self.assertEqual("an older file of this name is still on the server; it waits in 'new'",
                             naming.objection(name))
            self.assertTrue(naming.is_of_another(name))
        self.assertFalse(naming.is_of_another('ab'))

    def test_taken_are_only_those_that_were_tried_before(self):
        naming = self.naming(replace=True)
        lists = naming.one_at_a_time([Entry('a'), Entry('A')])
        next(lists)
        self.assertEqual([True, True], [naming.is_free(name) for name in 'aA'])
        next(lists)
        self.assertEqual([True, False], [naming.is_free(name) for name in 'aA'])
