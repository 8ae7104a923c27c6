"""The support for tests: the embedded server, logs, texts, the registry."""
import contextlib
import doctest
import ftplib
import io
import logging
import os
import tempfile
import unittest

import zope.component

import zeit.cds.testing
from zeit.cds.interfaces import ICDSConnection
from zeit.cds.testing import logs, texts
from zeit.cds.testing.tests.transfers import listens, store


class Embedded(unittest.TestCase):
    """The server in a thread of the process."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.addCleanup(zeit.cds.testing.stop_ftp_server)

    def test_it_serves_from_start_to_stop(self):
        self.assertIsNone(zeit.cds.testing.start_ftp_server(self.directory, port=0))
        port = zeit.cds.testing.ftp_server_port()
        ftp = ftplib.FTP()
        self.addCleanup(ftp.close)
        ftp.connect('localhost', port, timeout=20)
        ftp.login('test', 'testpw')
        store(ftp, 'a.xml', b'content')
        self.assertEqual(['a.xml'], os.listdir(self.directory))
        zeit.cds.testing.stop_ftp_server()
        self.assertFalse(listens(port, 'localhost'))
        with self.assertRaises((EOFError, OSError)):
            ftp.pwd()

    def test_it_starts_again_on_the_same_port(self):
        zeit.cds.testing.start_ftp_server(self.directory, port=0)
        port = zeit.cds.testing.ftp_server_port()
        zeit.cds.testing.stop_ftp_server()
        zeit.cds.testing.start_ftp_server(self.directory, port=port)
        self.assertTrue(listens(port, 'localhost'))

    def test_a_second_start_is_refused(self):
        zeit.cds.testing.start_ftp_server(self.directory, port=0)
        with self.assertRaisesRegex(RuntimeError, 'Call stop_ftp_server'):
            zeit.cds.testing.start_ftp_server(self.directory, port=0)

    def test_without_a_server_there_is_no_port(self):
        with self.assertRaisesRegex(RuntimeError, 'No FTP server runs'):
            zeit.cds.testing.ftp_server_port()


class Log(unittest.TestCase):

    def setUp(self):
        self.logger = logging.getLogger(logs.LOGGER)
        self.before = self.logger.level, self.logger.propagate, self.logger.handlers[:]
        zeit.cds.testing.start_logging()
        self.addCleanup(zeit.cds.testing.stop_logging)

    def dumped(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            zeit.cds.testing.dumplog()
        return printed.getvalue()

    def test_it_shows_what_was_logged_since_the_last_time(self):
        self.logger.info('one')
        logging.getLogger(logs.LOGGER + '.transfer').warning('two %s', 'words')
        self.logger.debug('not shown')
        self.assertEqual('one\ntwo words\n', self.dumped())
        self.assertEqual('', self.dumped())
        self.logger.error('three')
        self.assertEqual('three\n', self.dumped())

    def test_it_shows_tracebacks(self):
        try:
            raise ValueError('wrong')
        except ValueError:
            self.logger.exception('Exiting:')
        self.assertRegex(self.dumped(), r'(?s)^Exiting:\nTraceback .*\nValueError: wrong\n$')

    def test_it_leaves_the_logger_as_it_was(self):
        zeit.cds.testing.stop_logging()
        self.assertEqual(
            self.before, (self.logger.level, self.logger.propagate, self.logger.handlers))
        with self.assertRaisesRegex(RuntimeError, 'Call start_logging'):
            zeit.cds.testing.dumplog()

    def test_a_second_start_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, 'Call stop_logging'):
            zeit.cds.testing.start_logging()


class Recorded(unittest.TestCase):
    """What tests see of the log of a block."""

    log = logging.getLogger('zeit.cds.a')

    def test_lines_by_their_level_and_tracebacks(self):
        with zeit.cds.testing.recorded() as log:
            self.log.debug('a')
            self.log.warning('b %s', 1)
            try:
                raise ValueError('c')
            except ValueError:
                self.log.exception('d')
        self.log.warning('later')
        self.assertEqual([('DEBUG', 'a'), ('WARNING', 'b 1'), ('ERROR', 'd')], log.lines)
        self.assertEqual((['b 1'], ['b 1', 'd']), (log.warnings, log.complaints))
        self.assertRegex(log.text, '(?s)^a\nb 1\nd\nTraceback .*\nValueError: c\n$')

    def test_only_the_level_asked_for(self):
        with zeit.cds.testing.recorded(logging.WARNING) as log:
            self.log.info('a')
        self.assertEqual('', log.text)

    def test_the_logger_is_left_as_it_was(self):
        logger = logging.getLogger('zeit.cds')
        before = logger.level, logger.propagate, list(logger.handlers)
        with self.assertRaises(KeyError), zeit.cds.testing.recorded():
            raise KeyError
        self.assertEqual(before, (logger.level, logger.propagate, logger.handlers))


class Comparison(unittest.TestCase):
    """What the checker makes equal, and what it leaves different."""

    def assertSame(self, want, got):
        self.assertTrue(zeit.cds.testing.checker.check_output(want, got, texts.OPTIONS))

    def assertDifferent(self, want, got):
        self.assertFalse(zeit.cds.testing.checker.check_output(want, got, texts.OPTIONS))

    def test_modules_of_exceptions(self):
        self.assertSame(
            'Traceback (most recent call last):\n  ...\nPermanentError: 550 No such file\n',
            'Traceback (most recent call last):\n  File "x"\n'
            'zeit.cds.interfaces.PermanentError: 550 No such file\n')

    def test_only_of_exceptions_that_exist(self):
        self.assertDifferent('Error: 550\n', 'zeit.cds.nowhere.Error: 550\n')
        self.assertDifferent('xml\n', 'bar.xml\n')
        self.assertDifferent('ICDSConnection\n', 'zeit.cds.interfaces.ICDSConnection\n')

    def test_only_at_the_beginning_of_a_line(self):
        self.assertDifferent('see PermanentError\n', 'see zeit.cds.interfaces.PermanentError\n')

    def test_ports_that_the_system_chose(self):
        self.assertSame('host localhost, port 12345, user\n', 'host localhost, port 54321, user\n')
        self.assertDifferent('port 2001\n', 'port 2002\n')
        self.assertDifferent('port 2001\n', 'port 34567\n')
        self.assertDifferent('12345\n', '54321\n')
        self.assertDifferent('report 12345\n', 'report 54321\n')

    def test_temporary_directories(self):
        base = tempfile.gettempdir()
        self.assertSame(base + '/tmpabcd1234/new\n', base + '/tmp_xyz9876/new\n')
        self.assertDifferent(base + '/tmpabcd1234/a.xml\n', base + '/tmpabcd1234/b.xml\n')
        self.assertDifferent(base + '/tmpabcd1234.xml\n', base + '/spool.xml\n')

    def test_counts_names_order_and_space_count(self):
        self.assertDifferent('3 files\n', '4 files\n')
        self.assertDifferent('Downloading: foo.xml\n', 'Downloading: bar.xml\n')
        self.assertDifferent('a\nb\n', 'b\na\n')
        self.assertDifferent('a b\n', 'a  b\n')
        self.assertDifferent('a\n', 'a\n\n')


class Display(unittest.TestCase):
    """Which values a text displays."""

    def failures(self, text):
        test = texts.Parser().get_doctest(text, {}, 'text', None, None)
        runner = doctest.DocTestRunner(
            checker=zeit.cds.testing.checker, optionflags=texts.OPTIONS, verbose=False)
        return runner.run(test, out=lambda text: None).failed

    def test_values_in_a_loop_are_not_displayed(self):
        self.assertEqual(0, self.failures(
            '>>> for letter in "ä":\n...     str(letter); ("x",)\n'
            '...     if letter:\n...         letter * 2\n'))

    def test_what_is_printed_in_a_block_is_compared(self):
        text = '>>> with open("/dev/null") as f:\n...     print(f.read(), "ü")\n'
        self.assertEqual(0, self.failures(text + ' ü\n'))
        self.assertEqual(1, self.failures(text))
        self.assertEqual(1, self.failures(text + ' u\n'))

    def test_the_value_of_a_plain_statement_is_compared(self):
        self.assertEqual(1, self.failures('>>> 1 + 1\n'))
        self.assertEqual(1, self.failures('>>> 1 + 1\n3\n'))
        self.assertEqual(0, self.failures('>>> 1 + 1\n2\n'))

    def test_functions_and_errors_stay_as_they_are(self):
        self.assertEqual(0, self.failures(
            '>>> def f():\n...     "doc"\n...     return f.__doc__\n>>> f()\n\'doc\'\n'
            '>>> a b\nTraceback (most recent call last):\nSyntaxError: invalid syntax\n'))


class Texts(unittest.TestCase):

    def test_a_suite_gets_its_layer(self):
        suite = zeit.cds.testing.DocFileSuite(
            'import.txt', layer=zeit.cds.testing.ZCML_LAYER)
        self.assertIs(zeit.cds.testing.ZCML_LAYER, suite.layer)

    def test_a_text_knows_its_path_and_the_with_statement(self):
        test, = zeit.cds.testing.DocFileSuite('import.txt', globs={'more': 1})
        globs = test._dt_test.globs
        self.assertTrue(os.path.isfile(globs['__file__']))
        self.assertEqual({'with_statement', 'more', '__file__', '__name__'} - {'__name__'},
                         set(globs) - {'__name__', '__builtins__'})


class Registry(unittest.TestCase):
    """The layer with ZCML."""

    layer = zeit.cds.testing.ZCML_LAYER

    def test_the_utilities_are_registered(self):
        self.assertTrue(ICDSConnection.providedBy(zope.component.getUtility(ICDSConnection)))
