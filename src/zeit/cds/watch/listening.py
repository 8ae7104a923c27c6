"""What the journal knows of feeds that are watched: which are silent. It is asked now and then.

That takes a thread of its own, which there is only if a journal is kept: a database that hangs
delays no look.
"""
import logging
import threading

from zeit.cds.feed import label
from zeit.cds.interfaces import CDSError
from zeit.cds.registry import registered_journal
from zeit.cds.text import phrase, printable


log = logging.getLogger('zeit.cds')

FIRST = 2.0     # seconds until it is asked first


class Listening:
    """See above."""

    def __init__(self, watch, every):
        """
        watch -- IWatch
        every -- seconds
        """
        self._watch, self._every = watch, every
        self._over, self._thread = threading.Event(), None
        self._failed = False    # was that told?

    def begin(self):
        """If a journal is kept. May be called again."""
        if self._thread is None and registered_journal() is not None:
            self._thread = threading.Thread(
                target=self._run, daemon=True, name='zeit.cds-listening')
            self._thread.parent = threading.current_thread()
            self._thread.start()

    def end(self):
        self._over.set()
        if self._thread is not None:
            self._thread.join(1)    # nobody waits for a database that hangs

    def _run(self):
        pause = min(FIRST, self._every)
        while not self._over.wait(pause):
            pause = self._every
            try:
                self._listen()
            except CDSError as e:
                log.log(logging.DEBUG if self._failed else logging.WARNING,
                        'The journal does not tell which feeds are silent: %s.', phrase(e))
                self._failed = True
            except Exception:
                log.exception('A defect of the program. The watch goes on.')
            else:
                self._failed = False

    def _listen(self):
        journal, feeds = registered_journal(), self._watch.feeds
        if journal is None:     # not any more
            return
        from zeit.cds.journal.lateness import tell  # few watches keep one
        for watched, heard in zip(feeds, tell(journal, [watched.feed for watched in feeds])):
            was_silent = watched.silent
            watched.heard(heard)
            self._tell_of(heard, was_silent)

    @staticmethod
    def _tell_of(heard, was_silent):
        name, silence = printable(label(heard.feed)), heard.silence
        if silence.is_late and not was_silent:
            log.warning('The feed %s is silent: no file for %d s, %d s are allowed.', name,
                        silence.seconds, silence.allowed)
        elif was_silent and silence.allowed is not None and not silence.is_late:
            log.warning('The feed %s speaks again.', name)
