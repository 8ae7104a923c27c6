"""The guards of the code, and the tests that turn red when one is removed: what `tools/remove-guards` works on."""
import argparse
import concurrent.futures
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple


SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))
LIMIT = 45                  # seconds that the tests of one guard may take; more is red as well
MEMORY = 6 * 2**30          # bytes; an endless reply shall not take the machine with it
FILE_SIZE = 2**30
RED = re.compile(r'^(?:Failure|Error) in test (\S+)', re.MULTILINE)


class Guard(NamedTuple):
    """One guard: text in a module, and what stands there when it is removed."""

    name: str
    module: str
    text: str
    without: str
    tests: tuple            # patterns of tests
    tested_in: str = 'test_faults'

    def remove_from(self, source):
        """The module's text without the guard. Raises ValueError if it isn't there exactly once."""
        if source.count(self.text) != 1:
            raise ValueError('%s: %d times in %s.py: %r' % (
                self.name, source.count(self.text), self.module, self.text))
        return source.replace(self.text, self.without)


GUARDS = [
    # ---------------------------------------------------------------- is the file whole, and what it was?
    Guard('received size is compared', 'worker', 'if size is not None and size != incoming.size:', 'if False:',
          ('test_data_truncated_and_226', 'test_data_of_nothing_and_226')),
    Guard('size after the fetch is compared with that before', 'worker',
          'changed = after.size not in (None, before.size) if before.size is not None else False', 'changed = False',
          ('test_file_grows_after_its_end', 'test_listed_too_small')),
    Guard('time after the fetch is compared with that before', 'worker',
          'if changed or None not in (before.modified, after.modified) and before.modified != after.modified:',
          'if changed:', ('test_file_rewritten', 'test_file_replaced')),
    Guard('a file that vanished is not published', 'worker',
          "        if after is None:\n            raise Dropped('it vanished while it was fetched', False)\n",
          '        after = after or before\n', ('test_file_vanishes_while_it_comes',)),
    Guard('a file of no size is looked at before it is fetched', 'worker',
          "if job.before is None and entry.kind == 'file' and entry.size:",
          "if job.before is None and entry.kind == 'file':", ('test_pipe_which_is_listed',)),
    Guard('a file without end is stopped', 'worker', 'if incoming.size > size + SURPLUS:', 'if False:',
          ('test_data_without_end',)),
    Guard('only the unchanged is resumed', 'worker', 'before.modified is not None and before == job.before:', 'True:',
          ('test_file_of_another_time', 'test_file_of_another_size'), 'test_retry'),
    Guard('a failed resumption starts over', 'worker', 'if resumed or received > size:', 'if False:',
          ('test_rest_without_effect', 'test_rest_to_another_place'), 'test_retry'),
    Guard('a refused REST starts over', 'worker', '            if offset:\n', '            if False:\n',
          ('test_rest_refused', 'test_rest_not_known'), 'test_retry'),
    # ---------------------------------------------------------------- once, and never lost
    Guard('DELE only after the commit', 'backlog', '        self._received.append(job)\n',
          '        self._received.append(job)\n        self._committed.append(job)\n',
          ('test_data_that_can_not_be_synced', 'test_file_system_that_can_not'), 'test_disk'),
    Guard('a refused DELE keeps the file back', 'worker',
          '        if there is None:\n            return self._removed(job)\n',
          '        return self._removed(job)\n', ('test_dele_550',)),
    Guard('publishing does not overwrite', 'spool', 'os.fsencode(new_name), RENAME_NOREPLACE)',
          'os.fsencode(new_name), 0)',
          ('test_left_in_tmp_and_unread_in_new',)),
    Guard('an unread file is not replaced', 'transfer', 'if self._spool.unread(entry.name):', 'if False:',
          ('test_unread_file_of_this_name',)),
    Guard('a name listed twice is one file', 'transfer', 'entry.name != last and self._wanted', 'self._wanted',
          ('test_a_file_listed_twice',)),
    Guard('recovery compares times', 'transfer', 'return there.modified == left.modified', 'return True',
          ('test_left_in_tmp_and_newer',)),
    Guard('recovery compares contents', 'transfer', 'return self._spool.same(left.name, incoming)', 'return True',
          ('test_left_in_tmp_and_another_by_content',)),
    Guard('a part of a file is worthless', 'spool', '                os.unlink(remains, dir_fd=fd)\n',
          '                pass\n', ('test_left_in_tmp_half',)),
    Guard('a commit is not left alone', 'spool', 'apart(self._sync_data, incomings, join=True)',
          'apart(self._sync_data, incomings)', ('test_nobody_syncs_any_more',), 'test_spool'),
    Guard('to have seen the lock long ago proves nothing', 'lock',
          'if time.monotonic() - self._looked_at > RECENT:', 'if False:',
          ('test_a_look_long_before',), 'test_lock'),
    Guard('no file is begun twice', 'spool', 'os.O_CREAT | os.O_EXCL | os.O_RDWR', 'os.O_CREAT | os.O_TRUNC | os.O_RDWR',
          ('test_two_of_one_name',), 'test_spool'),
    Guard('a name is durable before a run trusts it', 'spool',
          'for fd in self._tmp, self._parts:', 'for fd in self._parts,:',
          ('test_each_file_synced', 'test_all_files_synced'), 'test_spool_faults'),
    Guard('a commit waits for the rest of a large file', 'spool',
          '            self._writer.join()\n', '', ('test_large_files',), 'test_spool_faults'),
    Guard('a descriptor is not closed while a thread writes there', 'spool',
          '        self._drop_writer()\n        self.close()', '        self.close()',
          ('test_nothing_is_written_to_its_descriptor',), 'test_spool'),
    Guard('a large file that is dropped is written no more', 'blocks', 'while data and self._error is None:', 'while data:',
          ('test_nothing_is_written_once',), 'test_blocks'),
    Guard('a slow disk does not fill the memory', 'blocks', 'if self._blocks.are_scarce:', 'if False:',
          ('test_many_files',), 'test_blocks'),
    Guard('a failed commit leaves no part', 'transfer',
          '        except BaseException:\n            self._discard(jobs)\n',
          '        except BaseException:\n', ('test_data_that_can', 'test_file_system_that_can'), 'test_disk'),
    Guard('syncfs is trusted only where it tells of errors', 'spool',
          'return _syncfs() is not None and _kind_of_file_system(self._tmp) in HONEST', 'return _syncfs() is not None',
          ('test_file_system_whose_sync_always_seems_to_succeed',), 'test_disk'),
    Guard('what was published is not published again', 'spool', "        for directory in 'new', 'cur':",
          "        for directory in ('new',):", ('test_a_move_in_two_steps_that_was_interrupted',), 'test_spool'),
    Guard('a note that is too long for the disk is none', 'outbox', '    while written < len(data):\n            written',
          '    if written < len(data):\n            written', ('test_all_or_nothing', 'test_bit_by_bit'), 'test_outbox'),
    Guard('a newer file is not taken for the exported one', 'outbox',
          'return status is not None and identity(status)[:len(known)] == known',
          'return status is not None and identity(status)[0] == known[0]',
          ('test_a_newer_file_stays_although_it_has_the_same_inode', 'test_what_was_made_of_it_stays'), 'test_outbox'),
    Guard('a part of what is not exported any more is removed', 'outgoing',
          '        for note in lost:\n            self._arrived(note, parts)\n', '',
          ('test_a_part_of_what_was_replaced_is_replaced', 'test_a_part_of_what_was_withdrawn_is_removed'), 'test_recovery'),
    Guard("somebody else's file is no part of ours", 'outgoing', 'entry.size > note.size:', 'False:',
          ('test_what_is_larger_is_somebody_elses',), 'test_recovery'),
    Guard('a name that is taken but for its case is not free', 'uploader', 'folded(name) not in self.listed',
          'name not in self.listed', ('test_names_that_are_one_to_the_server',), 'test_recovery'),

    # ---------------------------------------------------------------- the lock
    Guard('the lock file is looked at again', 'lock', 'if not self._bears_our_mark(session, mutex):', 'if False:',
          ('test_lock_overwritten_at_once',)),
    Guard('the other lock file is looked for again', 'lock',
          'if others := [name for name in seen() if name != self.name]:', 'if others := []:',
          ('test_lock_comes_in_between',)),
    Guard('a lock that is not ours is not removed', 'lock',
          'return held == self._token or not self._seen_whole and held is not None and self._token.startswith(held)',
          'return True',
          ('test_lock_taken_away_while_we_work',)),
    Guard('a lock that is there is respected', 'lock',
          '        for name in self._seen:\n            self._break_dead(session, name)\n',
          '', ('test_lock_is_there', 'test_other_lock_is_there')),
    Guard("a lock that is gone is nobody's", 'lock',
          '        if (owner is None or reason) and name not in present(session):', '        if False:',
          ('test_lock_that_its_owner_removed_while_we_looked_at_it',), 'test_lock'),
    Guard('the mutex is left for sure', 'lock', '                self._leave_at_last(session, e)\n',
          '                pass\n',
          ('test_rmd_450_once', 'test_rmd_not_allowed')),
    # ---------------------------------------------------------------- hostile servers
    Guard('a reply is limited', 'protocol', '        if size > MAX_REPLY:\n', '        if False:\n',
          ('test_greeting_of_ten_megabytes',)),
    Guard('a reply may not take for ever', 'control', '            if now > end:\n', '            if False:\n',
          ('test_greeting_drips',)),
    Guard('preliminary replies are limited', 'control', 'for _ in range(PRELIMINARY):', 'while True:',
          ('test_five_preliminary_replies',)),
    Guard('a line of a listing is limited', 'protocol', 'if len(self._rest) > MAX_LISTING_LINE:', 'if False:',
          ('test_a_line_without_end_is_an_error',), 'test_protocol'),
    Guard('a listing is limited', 'listing',
          'if len(self.entries) + self._nonsense > MAX_ENTRIES or self._size > MAX_BYTES:',
          'if False:', ('test_entries_without_end',), 'test_retry'),
    Guard('nonsense is told of some times', 'listing', 'if self._nonsense <= NONSENSE:', 'if True:',
          ('test_nonsense_is_told',), 'test_retry'),
    Guard('CR, LF and NUL do not reach the connection', 'protocol', 'if _UNSENDABLE.search(line):', 'if False:',
          ('test_line_ends_are_refused',), 'test_protocol'),
    Guard('a name with slash, CR, LF, NUL is none', 'spool', '            if bad in name:\n', '            if False:\n',
          ('test_names_', 'test_name_with_lf')),
    Guard('the host that PASV names is ignored', 'data', '            return protocol.pasv_port(reply)\n',
          "            named = '.'.join(reply.text.partition('(')[2].split(',')[:4])\n"
          '            self._address = self._address[0], (named, 0), None\n            return protocol.pasv_port(reply)\n',
          ('test_pasv_names_a_host_that_listens',)),
    Guard('a stranger does not bring our data', 'wire', 'if address[0] == self._host:', 'if True:',
          ('test_stranger_is_turned_away',), 'test_wire'),
    Guard('a file that was begun is taken before anything else is said', 'control',
          '            before()\n', '            pass\n', ('test_the_next_file_came_meanwhile',)),
    Guard('an upload that went ahead ends as it should', 'data', 'if hasty and final.code not in COMPLETE:', 'if False:',
          ('test_replies_to_what_was_read_too_early',), 'test_export_faults'),
    Guard('a file that is fetched with haste is not trusted', 'worker', 'self._backlog.haste -= 1', 'self._backlog.haste -= 0.2',
          ('test_haste_ends_when',), 'test_retry'),
    Guard('EPSV is asked for again', 'data', '        if reply.code == 425:\n            return None\n', '',
          ('test_epsv_425_for_a_while',)),
    Guard('PASV where there is no EPSV', 'data', 'if reply.code // 100 == 5 and self.way < len(WAYS) - 1:', 'if False:',
          ('test_no_epsv',)),
    Guard('whoever is out of step ends the session', 'control', '                raise self.lost(e)\n\n    def flush',
          '                raise\n\n    def flush', ('test_one_reply_too_many',)),
    Guard('a password that is quoted is hidden', 'control', "text=reply.text.replace(self.secret, '***')",
          'text=reply.text',
          ('test_password_refused_and_quoted',)),
    Guard('the password is not logged', 'control', "'PASS ***' if verb == 'PASS' else ", '',
          ('test_greeting_120_first',)),
    # ---------------------------------------------------------------- time
    Guard('the run limit ends what workers do', 'transfer', '        if self._patience.left <= 0:\n',
          '        if False:\n',
          ('test_data_that_stall',), 'test_retry'),
    Guard('the run limit ends a transfer', 'data', '        if time.monotonic() > self._deadline:\n',
          '        if False:\n', ('RunLimitTest.test_listing',), 'test_retry'),
    Guard('the run limit ends a reply', 'control', '            if now > self._deadline:\n', '            if False:\n',
          ('RunLimitTest.test_login', 'RunLimitTest.test_greeting'), 'test_retry'),
    Guard('pauses end with the run', 'retry', 'or self.left < state.upcoming_sleep', '', ('test_no_pause_reaches',),
          'test_retry'),
    Guard('what can not pass is not tried again', 'retry', 'retry_if_exception_type(PASSING)',
          'retry_if_exception_type(Exception)',
          ('test_what_does_not_pass',), 'test_retry'),
    # ---------------------------------------------------------------- TLS
    Guard('certificates are verified', 'tls', 'ssl.create_default_context(', 'ssl._create_unverified_context(',
          ('test_unknown_authority', 'test_expired'), 'test_tls'),
    Guard('host names are verified', 'tls', '        self._context.minimum_version',
          '        self._context.check_hostname = False\n        self._context.minimum_version', ('test_wrong_host',),
          'test_tls'),
    Guard('TLS 1.2 at least', 'tls', 'ssl.TLSVersion.TLSv1_2', 'ssl.TLSVersion.MINIMUM_SUPPORTED',
          ('test_is_strict',), 'test_tls'),
    Guard('no TLS, no login', 'ftp', "        if not reply.positive:\n            raise self._hint(UntrustedServer(",
          "        if not reply.positive:\n            self._tunnel = None\n            return\n            raise self._hint(UntrustedServer(",
          ('test_auth_refused',), 'test_tls'),
    Guard('data are protected', 'ftp', "('PROT', 'P')", "('PROT', 'C')", ('test_login_and_data_are_protected',),
          'test_tls'),
    Guard('plain text behind AUTH TLS is an attack', 'control', 'if not self._replies.empty:', 'if False:',
          ('test_auth_answered_with_plain_text',), 'test_tls'),
    Guard('TLS that ends without a farewell is looked at', 'tls', 'suppress_ragged_eofs=False',
          'suppress_ragged_eofs=True',
          ('test_whole_file_stays_where_nobody',), 'test_tls'),
    Guard('its size is confirmed', 'ftp', '        if self._data.ragged:\n', '        if False:\n',
          ('test_whole_file_stays_where_nobody',), 'test_tls'),
    Guard('the TLS session goes on', 'tls', 'control.socket.session if control else None', 'None',
          ('test_the_tls_session_goes_on',), 'test_tls'),
]


# ---------------------------------------------------------------- running the tests

def _limits():
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))


def _path(source):
    """Where Python shall look: in the copy, and wherever else it looks here, which in a buildout is not its default."""
    return os.pathsep.join([source, *(path for path in sys.path if path and os.path.abspath(path) != SOURCE)])


def red(source, module, patterns):
    """Run tests in a copy of the source; the names of those that are red: a sorted list. None if none ran."""
    command = [sys.executable, '-c', 'import zope.testrunner; zope.testrunner.run()', '--test-path', source,
               '--package', 'zeit.cds', '--module', r'\.%s$' % module]
    for pattern in patterns:
        command += ['--test', pattern]
    process = subprocess.Popen(
        command, cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
        env={**os.environ, 'PYTHONPATH': _path(source)}, preexec_fn=_limits)
    try:
        output, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        return ['(did not end in %d s)' % LIMIT]
    found = sorted(set(RED.findall(output)))
    if process.returncode and not found:
        return ['(%s)' % (output.strip().splitlines() or ['no output'])[-1]]
    return found if ' Ran ' in output and ' Ran 0 ' not in output else None


def removed(guard, patterns=None):
    """Remove one guard in a copy of the source, and run its tests; see `red`."""
    with tempfile.TemporaryDirectory(prefix='zeit.cds-guard-') as copy:
        source = os.path.join(copy, 'src')
        shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns('__pycache__', '*.egg-info'))
        path = os.path.join(source, 'zeit', 'cds', guard.module + '.py')
        with open(path) as f:
            text = guard.remove_from(f.read())
        with open(path, 'w') as f:
            f.write(text)
        return red(source, guard.tested_in, guard.tests if patterns is None else patterns)


def present(guards):
    """With all guards in place, are their tests green? A list of the red ones."""
    found = []
    for module in sorted({guard.tested_in for guard in guards}):
        patterns = [test for guard in guards if guard.tested_in == module for test in guard.tests]
        result = red(SOURCE, module, patterns)
        found += ['(no tests in %s)' % module] if result is None else result
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog='remove-guards', description='Remove the guards of the code one by one, and see whether a test notices.')
    parser.add_argument('guards', nargs='*', metavar='WORD', help='only guards with this word in their name')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(), help='so many at once (%(default)s)')
    options = parser.parse_args(arguments)
    guards = [guard for guard in GUARDS if not options.guards or any(word in guard.name for word in options.guards)]
    begun = time.monotonic()
    if found := present(guards):
        print('With all guards in place, these tests are red: %s' % ' '.join(found))
        return 2
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for guard, found in zip(guards, pool.map(removed, guards)):
            missed += not found
            print('%-7s%-55s%s' % ('noticed' if found else 'MISSED', ' ' + guard.name, ', '.join((found or ['-'])[:3])),
                  flush=True)
    print('%d guards removed, %d noticed, %d missed, in %d s' % (
        len(guards), len(guards) - missed, missed, time.monotonic() - begun))
    return 1 if missed or not guards else 0
