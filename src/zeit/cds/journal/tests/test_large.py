"""No answer looks at all files of a large journal: tools/large-journal measures that."""
import time
import unittest

import sqlalchemy.event

from zeit.cds.journal.tests import large
from zeit.cds.journal.tests.infile import InFile


FILES = 2000


class Plans(InFile, unittest.TestCase):

    def plans(self, ask):
        """What SQLite means to do for a question: list of str."""
        asked = []
        engine = self.journal.database._engine

        def hear(connection, cursor, statement, parameters, *_):
            asked.append((statement, parameters))

        sqlalchemy.event.listen(engine, 'before_cursor_execute', hear)
        try:
            with self.journal.ask() as queries:
                ask(queries)
        finally:
            sqlalchemy.event.remove(engine, 'before_cursor_execute', hear)
        with self.journal.database.reading() as connection:
            return [row[-1] for statement, parameters in asked if statement.startswith('SELECT')
                    for row in connection.exec_driver_sql(
                        'EXPLAIN QUERY PLAN ' + statement, parameters)]

    def test_each_question_has_an_index(self):
        now = time.time_ns()
        large.fill(self.journal, FILES, now)
        for what, ask in large.questions(FILES, now).items():
            with self.subTest(what):
                plans = self.plans(ask)
                self.assertTrue(plans)
                for plan in plans:
                    if plan.startswith(('SCAN', 'SEARCH')) and plan != 'SCAN anon_1':
                        # (which is what another part has found, so many at most)
                        self.assertIn(' USING ', plan)
                    self.assertNotIn('DISTINCT', plan)

    def test_a_question_without_one_is_seen(self):
        large.fill(self.journal, 10, time.time_ns())
        self.assertIn('SCAN files', self.plans(
            lambda queries: queries._rows(sqlalchemy.text('SELECT reason FROM files')).all()))

    def test_answers(self):
        now = time.time_ns()
        large.fill(self.journal, FILES, now)
        found = large.measured(self.journal, FILES, now)
        self.assertEqual({*large.questions(FILES, now), *large.pages(None)}, set(found))
        [row] = self.rows(FILES // 2)
        self.assertEqual('taken', row.state)

    def rows(self, number):
        with self.journal.ask() as queries:
            return queries.files(name='article-%d.xml' % number)
