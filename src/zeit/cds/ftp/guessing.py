"""Lines of listings that are not as RFC 959 and RFC 3659 want them: what they may mean.

Strangers leave away the last semicolon of the facts, or the blank after it, or put two there; they
write whole paths, or what `ls -l` would print. What is read out of such a line is a guess: it
counts only when SIZE or MLST knows a file of that name.
"""
import os
import re
from typing import NamedTuple

from zeit.cds.ftp.protocol import facts_entry
from zeit.cds.interfaces import Entry


MARK = '\ufeff'         # a byte order mark
CANDIDATES = 3          # so many names at most are tried for one line

_FACT = r'[a-z][a-z0-9._-]*=[^;]*;'
_FACTS = re.compile(r'(?:%s(?:\s+(?=%s))?)*' % (_FACT, _FACT), re.ASCII | re.IGNORECASE)
_LAST_FACT = re.compile(r'[a-z][a-z0-9._-]*=[^;= ]*(?= )', re.ASCII | re.IGNORECASE)
_KNOWN = re.compile(r'(?:^|;)(?:type|size|modify)=', re.IGNORECASE)
_TOTAL = re.compile(r'total [0-9]+[kKMG]?', re.ASCII)
_LONG = re.compile(
    r'([-dlbcps])[-rwxsStTlL]{9}[.+@]?\s.*?\s'                          # mode, links, owner, group
    r'(?:[A-Za-z]{3}\s+[0-9]{1,2}|[0-9]{1,2}\s+[A-Za-z]{3}|[0-9]{4}-[0-9]{2}-[0-9]{2})\s+'
    r'(?:[0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?(?: [+-][0-9]{4})?|[0-9]{4})\s(.+)', re.ASCII)
_MODE = re.compile(r'[-dlbcps][-r][-w][-xsS][-r][-w][-xsS][-r][-w][-xtT][.+@]?\s', re.ASCII)
_KINDS = {'-': None, 'l': None, 'd': 'dir'}


class Guess(NamedTuple):
    """What a line may mean."""

    line: str
    name: str               # as it is listed
    entries: tuple          # of Entry: one of these, the likeliest first
    optional: bool = False  # may it as well be no entry at all?


def of_mlsx(line):
    """The Guess of a line of MLSD (bytes); None if it makes no sense."""
    text = os.fsdecode(line)
    bare = text.removeprefix(MARK).lstrip()
    facts, rest = _split(bare)
    if not _KNOWN.search(facts):
        return None
    entry = facts_entry(facts)
    return _guess(text, [entry._replace(name=name) for name in rest])


def _split(text):
    """Facts, and what the name may be: str, list of str."""
    facts = _FACTS.match(text)[0]
    rest, facts = text[len(facts):], re.sub(r';\s+', ';', facts)
    if (last := _LAST_FACT.match(rest)) is None:
        return facts, [rest[rest.startswith(' '):], rest.strip()]
    words = rest[last.end() + 1:]       # of its value as well, if there are blanks in that
    names = [words.partition(' ')[2]] if words.startswith(' ') else []
    return '%s%s;' % (facts, last[0]), [words, *names, words.rpartition(' ')[2]]


def of_nlst(line):
    """The Guess of a line of NLST (bytes)."""
    text = os.fsdecode(line)
    bare = text.removeprefix(MARK)
    if _TOTAL.fullmatch(bare.strip()):
        return Guess(text, bare, (Entry(bare),), True)
    if (long := _LONG.match(bare)) is not None:
        kind, name = long[1], long[2]
        if kind == 'l':
            name = name.partition(' -> ')[0]
        return _guess(text, [Entry(name, kind=_KINDS.get(kind, 'other'))])
    if _MODE.match(bare):
        return _guess(text, [Entry(bare.rpartition(' ')[2])])
    kind = 'dir' if bare.endswith('/') else None
    return _guess(text, [Entry(bare, kind=kind), Entry(bare.strip(), kind=kind)])


def of_list(line):
    """The Guess of a line of LIST (bytes); None if it is not as `ls -l` would print it."""
    text = os.fsdecode(line)
    return of_nlst(line) if _TOTAL.fullmatch(text.strip()) or _MODE.match(text) else None


def _guess(text, entries):
    name = entries[0].name
    entries = [entry._replace(name=last_part(entry.name)) for entry in entries]
    entries = [entry for entry in dict.fromkeys(entries) if entry.name not in ('', '.', '..')]
    return Guess(text, name, tuple(entries[:CANDIDATES]), not entries)


def last_part(path):
    """The name in a path, as servers write it."""
    if re.match(r'[A-Za-z]:\\', path):
        path = path.replace('\\', '/')
    return path.rstrip('/').rpartition('/')[2]


BY_VERB = {'MLSD': of_mlsx, 'NLST': of_nlst, 'LIST': of_list}
