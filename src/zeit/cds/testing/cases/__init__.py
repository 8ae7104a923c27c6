"""What servers in the field do: each case is a server made odd, and what a user expects of a run.

`bin/py -m zeit.cds.testing.cases` tells of all cases, or of those that are named. A case shows one
member of a kind; the modules are the kinds.
"""
import importlib


MODULES = (
    'plain', 'locks', 'listings', 'replies', 'pipelining', 'data', 'transfers', 'copies', 'names',
    'accounts')
CASES = {}              # name: function that takes a `zeit.cds.testing.cases.run.Case`


def case(function):
    """Make a function a case, under its name."""
    CASES[function.__name__] = function
    return function


def all_cases():
    """{name: function} of all modules, in their order."""
    for name in MODULES:
        importlib.import_module('zeit.cds.testing.cases.' + name)
    return CASES


def examine(function):
    """Run a case; returns its `zeit.cds.testing.cases.run.Case`, with its words in `text`."""
    from zeit.cds.testing.cases.run import Case  # it needs this module
    examined = Case()
    try:
        function(examined)
        examined.text = str(examined)
    finally:
        examined.end()
    return examined
