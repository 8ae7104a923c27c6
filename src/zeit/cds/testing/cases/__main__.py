"""Tells which cases hold: bin/py -m zeit.cds.testing.cases [NAME...]"""
import sys

from zeit.cds.testing.cases import all_cases, examine


def main(names):
    cases, failed = all_cases(), 0
    for name in names or cases:
        examined = examine(cases[name])
        failed += not examined.holds
        print('%s %s' % ('ok  ' if examined.holds else 'FAIL', name), flush=True)
        if names:
            print(examined.text)
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
