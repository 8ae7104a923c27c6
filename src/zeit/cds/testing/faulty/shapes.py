"""Shapes of replies, for `On.shape`, and data for `On.serve`: functions of bytes that return bytes,
or an iterable of bytes.
"""

import itertools

from zeit.cds.testing.faulty.store import BLOCK


#: Replies whose text carries a value; losing it would be another fault.
VALUES = (b'211', b'213', b'227', b'229', b'257')


def _is_value(reply):
    return reply[:3] in VALUES or reply[3:4] == b'-'


def lower_case(reply):
    """``226 transfer complete.``"""
    return reply if _is_value(reply) else reply.lower()


def multi_line(reply):
    """Five lines, one of which looks like an end and is none."""
    if _is_value(reply):
        return reply
    code = reply[:3]
    return (code + b'-First line\r\n' + b' ' + code + b' indented\r\n'
            + b'999 another code\r\n' + code + b'-again\r\n' + reply)


def latin_1(reply):
    """``226 Übertragen.`` in Latin-1, which is no UTF-8."""
    return reply if _is_value(reply) else reply[:4] + b'\xdcbertragen.\r\n'


def no_text(reply):
    """``226``"""
    return reply if _is_value(reply) else reply[:3] + b'\r\n'


def bare_lf(reply):
    """Lines end with LF instead of CRLF."""
    return reply.replace(b'\r\n', b'\n')


def preliminary_code(reply):
    """``1`` in place of the first digit."""
    return b'1' + reply[1:]


def garbage(reply):
    """What is no reply at all."""
    return b'\x00\xff<html>not found</html>\r\n'


def nothing(reply):
    """No reply, and on with the next command."""
    return b''


def long_line(reply, size=10 * 1024 * 1024):
    """A line of 10 MB."""
    return itertools.chain(
        [reply[:4]], itertools.repeat(b'x' * BLOCK, size // BLOCK),
        [b'\r\n'])


def endless_line(reply):
    """A line without an end."""
    return itertools.chain([reply[:4]], itertools.repeat(b'x' * BLOCK))


def endless_lines(reply):
    """A multi-line reply without an end."""
    line = reply[:3] + b'-and so on\r\n'
    return itertools.repeat(line * (BLOCK // len(line)))


#: All shapes by name.  The first five are legal or usual: a client should
#: go on as if nothing were.
SHAPES = {
    function.__name__: function for function in (
        lower_case, multi_line, latin_1, no_text, bare_lf, preliminary_code,
        garbage, nothing, long_line, endless_line, endless_lines)}


def endless_data():
    """Data without an end: for On.serve and On.extend."""
    return itertools.repeat(b'x' * BLOCK)
