"""The IPipelined of an FTPSession: which of its transfers are pipelined, and how.

Each step is one of the Machine in `zeit.cds.ftp.pipelining`, where the states are told.
"""
import zope.interface

from zeit.cds.ftp.batch import FTPBatch
from zeit.cds.ftp.listing import says_empty
from zeit.cds.ftp.pipelining import ASK, BEGUN, END, FEED, Machine, MOVED, TUNING
from zeit.cds.ftp.transfers import Source
from zeit.cds.interfaces import ConnectionLost, Entry, IPipelined, ReplyError, TemporaryError
from zeit.cds.net.stream import Stream


ANY = Entry('')     # something that will need a data connection


class SharedBatch(FTPBatch):
    """A context manager, see IPipelined.batch."""

    __slots__ = ('_send',)

    def __init__(self, session, send):
        super().__init__(session)
        self._send = send

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error is None:
            self._send()


def connection_only(also):
    """An `also` that gives no file to be asked for: another upload follows, mostly."""
    return lambda batch: None if also(batch) is None else ANY


@zope.interface.implementer(IPipelined)
class Pipelined:
    """See IPipelined."""

    def __init__(self, session, tuning=TUNING):
        """
        session -- FTPSession
        tuning -- Tuning
        """
        self.session = session
        self.machine = Machine(session, tuning)
        self._tuning = tuning
        self._control, self._data = session.control, session.data
        self._findings, self._quirks = session.findings, session.quirks

    def close(self):
        self.machine.close()

    # ------------------------------------------------------------ without a transfer

    def batch(self, later=False, ahead=False):
        return SharedBatch(self.session, (lambda: None) if later else lambda: self._flush(ahead))

    def _flush(self, ahead):
        command = None
        if ahead and not self._data.is_ahead:
            command = self._data.arrange_ahead()
        if command is None:
            self._control.flush()
        else:
            reply, = self._control.ask(command)
            self._data.connect_ahead(reply)

    def _follow(self, also):
        """Nothing of a transfer is underway any more: the batch goes out by itself."""
        if also is not None:
            following = also(FTPBatch(self.session))
            self._flush(ahead=following is not None)

    def _end(self, also):
        """The end of a transfer and the batch, in one round trip if the server bears that; the text
        of the final reply."""
        if self.machine.state is MOVED and self._control.one_at_a_time:
            return self._end_alone(also)
        return self.machine.end(also)

    def _end_alone(self, also):
        text = self.machine.final(self.machine.last_reply())
        self._follow(also)
        return text

    # ------------------------------------------------------------ listings

    def entries(self, heard=None, also=None):
        waiting = [also] if also is not None else []

        def once(batch):        # although NLST may follow an MLSD that failed at its end
            return waiting.pop()(batch) if waiting else None

        def transfer(verb, listing, argument=None, shares=True):
            self.machine.be_idle()
            try:
                data = self.machine.ask(self._data.open(), verb, argument)
            except ReplyError as e:
                if says_empty(e):
                    return []
                raise
            self.machine.receive(data, listing)
            return listing.finish(self._end(once if shares else None))

        entries = self.machine.guarded(self.session.lister.entries, transfer, heard)
        if waiting:             # no transfer could take it along
            self._follow(waiting.pop())
        return entries

    # ------------------------------------------------------------ downloads

    def read(self, entry, sink, offset=0, also=None, then=None):
        try:
            count = self.machine.guarded(self._read, entry, sink, offset, also)
        except TemporaryError as e:
            raise self.session.existence.judged('RETR', entry.name, e) from e
        self.session.confirm(entry.name, offset + count)
        return count

    def _read(self, entry, sink, offset, also):
        name = entry.name
        if self.machine.state is BEGUN and (name, 0) == (self.machine.begun[0], offset):
            data = self.machine.start_begun()
        else:
            self.machine.be_idle()
            if self.machine.kept is not None and name == self.machine.kept[0]:
                (_, kept), self.machine.kept = self.machine.kept, None
                if not offset:
                    return self._hand_on(kept, sink, also)
            if also is not None and not offset and self._bears_batch_in(entry):
                data = self._ask_ahead(name, also)
            else:
                data = self.machine.ask(self._data.open(), 'RETR', name, offset)
        count = self.machine.receive(data, sink)
        self._end(also)
        return count

    def _bears_batch_in(self, entry):
        """May the batch go out before all data of this file are here? bool"""
        quirks, findings = self._quirks, self._findings
        return (0 < (entry.size or 0) <= self._tuning.small and findings.may_pipeline
                and findings.passive and not self._data.tunnel
                and (quirks.batch_with_transfer
                     or quirks.batch_during_retr and findings.latency > self._tuning.far))

    def _ask_ahead(self, name, also):
        """Send RETR and, in one write with it or soon after, the batch, which spares us the way
        there."""
        data = self._data.open()
        try:
            if self._quirks.batch_with_transfer:
                self.machine.send_batch(also, ('RETR', name))
            else:
                self._control.issue(('RETR', name))
                self.machine.on(ASK)
                if not self._control.stream.comes(self._findings.latency / 2):
                    self.machine.send_batch(also)
            return self.machine.started(data, self._control.reply())
        except BaseException:
            data.close()
            raise

    def _hand_on(self, kept, sink, also):
        if isinstance(kept, ReplyError):
            raise kept
        kept.hand_on(sink)
        self._follow(also)
        return len(kept.data)

    # ------------------------------------------------------------ uploads

    def write(self, name, source, offset=0, also=None):
        if also is not None:
            also = connection_only(also)
        count = self.machine.guarded(self._write, name, Source(source), offset, also)
        self.session.note_stored(name)
        return count

    def _write(self, name, source, offset, also):
        self.machine.be_idle()
        may = self._findings.may_pipeline and not offset
        if may and self._quirks.stor_before_connection and self._data.connects_ahead:
            data = self._store_unconnected(name)
        else:
            data = self._data.open()
            if may and self._may_be_fed(data):
                source.feed(data)
                self.machine.on(FEED)
                if source.is_done and also is not None:
                    return self._store_fed(data, name, source, also)
            data = self.machine.ask(data, 'STOR', name, offset)
        self.machine.send(data, source)
        self._end_upload(also)
        return source.count

    def _may_be_fed(self, data):
        return (self._quirks.data_before_stor and not self._data.tunnel
                and isinstance(data, Stream))

    def _store_unconnected(self, name):
        """Send STOR while the data connection is not there yet."""
        ahead, data = self._data.take_ahead(), None
        try:
            self._control.issue(('STOR', name))
            self.machine.on(ASK)
            reply = self._control.reply()
            if reply.preliminary:
                data = self._data.connected(ahead)
            return self.machine.started(data, reply)
        except OSError as e:
            raise self._control.lost(e) from e      # the server would wait for it
        finally:
            if data is None:
                ahead.close()

    def _store_fed(self, data, name, source, also):
        """Send STOR and the batch when the data were sent."""
        self.machine.send_batch(also, ('STOR', name))
        reply = self._control.reply()
        if reply.positive:
            raise self._control.lost(ConnectionLost('The server takes no data: %s' % (reply,)))
        self.machine.started(data, reply)
        self.machine.on(END)
        self.machine.end(None)
        return source.count

    def _end_upload(self, also):
        if self._quirks.batch_before_ack:
            # Worth a round trip: it acknowledges only when it knows that we know that it has
            # closed the connection.
            self._end(also)
        else:
            self._end_alone(also)
