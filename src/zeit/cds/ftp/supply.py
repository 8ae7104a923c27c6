"""What an upload sends, piece by piece, some of it ahead of its time."""
import logging


log = logging.getLogger(__name__)


class Supply:
    """The data of an upload, in pieces."""

    def __init__(self, pieces):
        """
        pieces -- bytes, or an iterator of pieces, of which each is of use until the next is asked for
        """
        self.count = 0
        self._pieces = iter((pieces,)) if isinstance(pieces, bytes) else iter(pieces)
        self._piece = next(self._pieces, None)
        self._error = None

    @property
    def is_done(self):
        """Was all sent? bool"""
        return self._piece is None and self._error is None

    def begin(self, data):
        """Send what needs no waiting, and close the connection if that is all. What goes wrong, `rest` will show."""
        try:
            if self._piece is not None:
                sent = data.send_at_once(self._piece)
                self.count, self._piece = sent, self._piece[sent:] or next(self._pieces, None)
            if self._piece is None:
                data.close()
        except OSError as e:
            log.debug('While sending ahead: %s', e)
        except Exception as e:
            self._error = e

    def rest(self):
        """The pieces that are still to be sent."""
        if self._error is not None:
            raise self._error
        while self._piece is not None:
            yield self._piece
            self.count += len(self._piece)
            self._piece = next(self._pieces, None)
