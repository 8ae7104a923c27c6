"""An FTP server that misbehaves on purpose.

:class:`FaultyServer` is a small but real FTP server: sockets and threads,
on a port of ``127.0.0.1`` that the system chose, over files in memory.
Without a script it behaves::

    with FaultyServer(files={'bar.xml': b'bar', 'foo.xml': b'foo'}) as server:
        import_(..., server.host, server.port, server.user, server.password)
        server.files.data        # {name: bytes}: what is left
        server.directories       # {name: mtime}
        server.log               # [(session, 'RETR bar.xml'), ...]
        server.violations        # what a client must not do, as sentences
        server.errors            # tracebacks of the server itself: must be []
        server.commands('RETR DELE')                 # ['RETR bar.xml', ...]
        server.wait_until(lambda: server.log)        # instead of sleeping

A script makes it misbehave.  It is a list of rules, each of which says *when*
(:class:`On`), and then, by methods that can be chained, *what*::

    server.script = [
        On('RETR', 'bar.xml', times=1).reply('426 Sorry.', after_bytes=1000),
        On('EPSV', session=2).drop_control(),
        On('DELE').reply('550 No.'),
    ]
    server.unused                # rules that never acted: [] in a good test
    server.behave()              # no faults any more, stalled sessions end

All rules that fit a command act together, in the order of the script.

**When**: ``On(verbs, argument, times=, skip=, session=, given=)``

======================================== ====================================
``On('DELE')``                           each DELE
``On('DELE', 'bar.xml')``                this file only; ``'*.xml'``; bytes
``On('NLST MLSD LIST')``                 any of these
``On('*')``                              every command
``On('GREETING')``                       the greeting
``On('CONNECT')``                        accepted, before TLS and greeting
``On('RETR', times=2)``                  the first two times only
``On('RETR', skip=1, times=1)``          the second time only
``On('RETR', session=2)``                in the second session only, counted
                                         since the script was set
``On('NLST', given=f)``                  only while `f(server)` is true;
                                         :func:`nothing_offered` is such an f
======================================== ====================================

**Replies**

======================================== ====================================
``.reply('550 No.')``                    answer this instead of doing it
``.reply('550 No.', done=True)``         do it, then answer this
``.reply('426 No.', after_bytes=9)``     after nine bytes of data
``.reply('120 Wait.', '220 Go.')``       several replies
``.reply(b'250 no line end')``           `bytes` go out as they are
``.refuse()``                            502, as if there were no such command
``.preliminary('125 Now.')``             in place of the 150; none: ``()``
``.say('421 Bye.', at='replied')``       one more reply
``.shape(lower_case)``                   the last reply, transformed; also
                                         `multi_line latin_1 no_text bare_lf
                                         preliminary_code garbage nothing
                                         long_line endless_line
                                         endless_lines`, all in `SHAPES`
======================================== ====================================

After a 421 that was sent as a last reply the server closes the connection.

**Connections and time**: each happens `at` a moment (``'command'``: nothing
was done yet; ``'preliminary'``: the 150 was sent; ``'done'``: all was done,
data included, and no last reply was sent; ``'replied'``), or `after_bytes` of
data, or after `reply_bytes` of the last reply.

======================================== ====================================
``.drop_control()``                      nothing was done
``.drop_control(at='done')``             done, but the reply is lost
``.drop_control(at='preliminary')``      between the 150 and the data
``.drop_control(after_bytes=9)``         in mid-data
``.drop_control(reply_bytes=3)``         in the middle of the last reply
``.drop_control(reset=True)``            RST instead of FIN, with any of these
``.drop_data(9)``                        after nine bytes, then 426
``.drop_data(9, reset=True)``            with an RST
``.drop_data(9, reply='226 Done.')``     and lie about it
``.truncate(9)``                         nine bytes in good order, then 226
``.stall()``                             silent until `behave` or `stop`
``.stall(2, at='done')``                 two seconds late; same moments as
                                         `drop_control`
``.drip(0.01)``                          data byte by byte, seconds between
``.drip(0.01, size=100)``                a hundred bytes at a time
``.drip_reply(0.01)``                    the last reply so
``.no_close_notify()``                   TLS data end without close_notify
``.corrupt(9)``                          after nine bytes, a TLS record that
                                         can't be decrypted
``.advertise('10.0.0.1')``               PASV names another host; on
                                         ``127.0.0.2`` it listens, and a
                                         client that comes is a violation
``.advertise(port=1)``                   PASV or EPSV name another port
======================================== ====================================

After `drop_control` the data connection is closed as well.  Uploads know the
same moments; what arrived before stays on the server.  A transfer shorter
than `after_bytes` isn't disturbed; `server.unused` tells.

**Data and listings**

======================================== ====================================
``.serve(b'other')``                     other data, true size and time
``.serve(endless_data)``                 without end
``.extend(b'more')``                     more than the size says
``.entries(Entry('../x', size=3))``      listed in addition
``.entries(b'rubbish\\r\\n')``             a line that can't be parsed
``.entries(..., only=True)``             in place of the true entries
``.facts('bar.xml', size=-1)``           listed with other facts: `size`,
                                         `modify`, `type`, `name`; None: left
                                         away; ``'*'``: all files
``.twice('bar.xml')``                    listed twice; `size=...`: differently
``.first(2)``                            two entries only, then 226
``.many(1000000)``                       so many generated entries in addition
``.relist(f)``                           `f(entries)` returns the entries
======================================== ====================================

`Entry(name, size, modify, type)` takes any values.  A hostile name that can
also be fetched is simply in `files`: ``files={'../x': b'evil'}``.  Pure-FTPd's
cut listing is ``.first(2).reply('226 Output truncated', done=True)``.

**Behind the client's back**: ``.call(change, at=...)`` calls
``change(server)`` at a moment; `put`, `rewrite`, `grow`, `shrink`, `vanish`
and `mkdir` make such changes::

    On('RETR', 'bar.xml').call(grow('bar.xml', b'more'), at='command')
    On('RETR', 'bar.xml').call(vanish('bar.xml'), after_bytes=1)
    On('SIZE', 'read', times=1).call(put('write', b'somebody'))

``server.when(On(...), change, when='before')`` adds one to a running server;
``'after'`` is the moment ``'done'``.

**The whole server**: `character` (see :data:`CHARACTERS`: ``'vsftpd'``,
``'proftpd'``, ``'pure-ftpd'``, ``'pyftpdlib'``), `without` (commands that it
doesn't have, and that FEAT doesn't list), `max_sessions`, `order`, TLS: see
:class:`FaultyServer`.

A rule for a command that the server would do differently in one of these
characters still wins.  Rules keep no state: a table of them can be used for
many servers.
"""
from zeit.cds.testing.faulty.changes import (
    grow,
    mkdir,
    next_year,
    nothing_offered,
    put,
    rewrite,
    shrink,
    vanish,
)
from zeit.cds.testing.faulty.character import Character, CHARACTERS
from zeit.cds.testing.faulty.script import On
from zeit.cds.testing.faulty.server import FaultyServer
from zeit.cds.testing.faulty.shapes import (
    bare_lf,
    endless_data,
    endless_line,
    endless_lines,
    garbage,
    latin_1,
    long_line,
    lower_case,
    multi_line,
    no_text,
    nothing,
    preliminary_code,
    SHAPES,
)
from zeit.cds.testing.faulty.store import BEGINNING, Content, Entry


__all__ = [
    'BEGINNING', 'CHARACTERS', 'Character', 'Content', 'Entry',
    'FaultyServer', 'On', 'SHAPES', 'bare_lf', 'endless_data',
    'endless_line', 'endless_lines', 'garbage', 'grow', 'latin_1',
    'long_line', 'lower_case', 'mkdir', 'multi_line', 'next_year', 'no_text',
    'nothing', 'nothing_offered', 'preliminary_code', 'put', 'rewrite',
    'shrink', 'vanish']
