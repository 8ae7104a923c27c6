"""Sum up the output of zope.testrunner: summary.py LOG [LEAST_TESTS [STATUS]]

LEAST_TESTS is how many must have run, STATUS that of the test runner.
"""
import re
import sys


# The first form ends a run of several layers, the second that of one.
TOTALS = [
    r'^Total: (\d+) tests, (\d+) failures, (\d+) errors and (\d+) skipped',
    r'^ *Ran (\d+) tests with (\d+) failures, (\d+) errors and (\d+) skipped',
]


def totals(text):
    """The numbers of tests, failures, errors and skipped tests."""
    for form in TOTALS:
        found = re.findall(form, text, re.MULTILINE)
        if found:
            tests, failures, errors, skipped = map(int, found[-1])
            # The total of layers that ran in processes of their own lacks what these skipped.
            layers = re.findall(TOTALS[-1], text, re.MULTILINE)
            return tests, failures, errors, max(skipped, sum(int(layer[-1]) for layer in layers))
    return 0, 0, 0, 0


def main(log, least_tests='1', status='0'):
    with open(log, encoding='utf-8', errors='replace') as f:
        tests, failures, errors, skipped = totals(f.read())
    failed = failures + errors
    if tests < int(least_tests):
        print('.ci/run: %d tests ran, at least %s must' % (tests, least_tests))
        status = int(status) or 1
    if failed:
        status = int(status) or 1
    print('%d passed, %d failed, %d skipped' % (
        max(tests - failed - skipped, 0), failed, skipped))
    return int(status)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
