"""What cds-demo says when it can't show an import."""
import contextlib
import io
import sys
import unittest
import unittest.mock

from zeit.cds.cli import demo


class Failures(unittest.TestCase):

    def run_demo(self, *arguments):
        """Gives the status and what went to standard error."""
        err = io.StringIO()
        with contextlib.redirect_stderr(err), \
                contextlib.redirect_stdout(io.StringIO()):
            return demo.main(arguments), err.getvalue()

    def test_without_pyftpdlib_it_tells_what_to_install(self):
        with unittest.mock.patch.dict(sys.modules, pyftpdlib=None):
            status, err = self.run_demo('/dev/null/spool')
        self.assertEqual(1, status)
        self.assertIn("pip install 'zeit.cds[demo]'", err)

    def test_a_spool_that_cannot_be_made_is_an_error(self):
        status, err = self.run_demo('/dev/null/spool')
        self.assertEqual(1, status)
        self.assertIn('/dev/null/spool', err)
