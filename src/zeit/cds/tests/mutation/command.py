"""tools/mutants: which changes of the code do the tests not notice?"""
import argparse
import random
import signal
import sys
import time
from pathlib import Path

from zeit.cds.tests.mutation import operators, trial
from zeit.cds.tests.mutation.check import Check


PACKAGE = 'zeit.cds'
# Each room's modules, and the tests that are to notice: its own, and those elsewhere that are
# about it.
ROOMS = {
    'transfer': (['transfer.*'], [
        'transfer.tests.*', 'file.tests.*', 'cli.tests.test_interruption', 'tests.test_*kill',
        'tests.test_components', 'tests.test_events', 'tests.test_doctests']),
    'lock': (['lock.*'], [
        'lock.tests.*', 'cli.tests.test_lock*', 'transfer.tests.test_faults']),
    'spool': (['spool.*'], [
        'spool.tests.*', 'transfer.tests.*', 'tests.test_*kill']),
    'ftp.pipelining': (['ftp.pipelin*', 'ftp.batch', 'ftp.transfers'], [
        'ftp.tests.*', 'testing.tests.test_contract*', 'transfer.tests.*']),
}


def zeit_cds(source=None):
    """The Project that is checked."""
    source = source or Path(__file__).parents[4]
    return trial.Project(source, PACKAGE, ROOMS)


def arguments(project, args):
    parser = argparse.ArgumentParser(
        prog='mutants', description=__doc__,
        epilog='; '.join('%s: %s' % item for item in operators.KINDS.items()))
    parser.add_argument('--sample', type=int, metavar='N', help='so many, at random (all)')
    parser.add_argument('--seed', type=int, help='of the sample (a new one, printed)')
    parser.add_argument('--jobs', type=int, default=2, help='processes (%(default)s)')
    parser.add_argument('--rooms', default=','.join(project.rooms), help='(%(default)s)')
    parser.add_argument('--guards', action='store_true', help='remove each guard, nothing else')
    parser.add_argument('--only', metavar='ID', action='append', help='this mutant')
    parser.add_argument('--list', action='store_true', help='show them, try none')
    parser.add_argument('--known', type=Path, metavar='FILE',
                        help='keep there what is known of the tests, or take it from there, '
                        'instead of trying all of them first')
    parser.add_argument('--brief', type=float, metavar='SECONDS',
                        help='a mutant that no test has noticed until then counts as survived')
    parser.add_argument('--source', help='a directory with other code (%s)' % project.source)
    return parser.parse_args(args)


def chosen(check, options):
    """{Mutant: room} of those asked for."""
    kinds = ['guard'] if options.guards else operators.KINDS
    mutants = check.mutants(options.rooms.split(','), kinds)
    if options.only:
        mutants = {mutant: room for mutant, room in mutants.items() if mutant.id in options.only}
    if options.sample is not None and options.sample < len(mutants):
        names = random.Random(options.seed).sample(list(mutants), options.sample)
        mutants = {mutant: mutants[mutant] for mutant in names}
    return mutants


def main(args=None, project=None):
    project = project or zeit_cds()
    options = arguments(project, args)
    if options.source:
        project = project.elsewhere(options.source)
    if options.seed is None:
        options.seed = random.randrange(10 ** 6)
    check = Check(project, options.jobs, brief=options.brief)
    mutants = chosen(check, options)
    if not mutants:
        print('There is no such mutant.', file=sys.stderr)
        return 2
    if options.list:
        for mutant in mutants:
            print(check.shown(mutant))
        return 0
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('Terminated'))    # leave nothing behind
    check.run(mutants, options.known)
    noticed = check.tried - len(check.survivors)
    print('%d mutants, seed %d: %d noticed (%.1f %%), %d survived; %.0f s' % (
        check.tried, options.seed, noticed, 100 * noticed / check.tried, len(check.survivors),
        time.monotonic() - begun))
    for mutant in check.survivors:
        print('    ' + mutant.id)
    return 1 if check.survivors else 0
