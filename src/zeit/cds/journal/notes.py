"""What a run has to tell the journal, as lines of JSON; and what of it was not settled.

Each run has a section; the lines of a section are numbered, so that the journal takes each once::

    ["run", RUN, FEED, DIRECTION, SPOOL, HOST, PID, BEGUN, NUMBER]      a section begins, or goes on
                                                                with this number
    ["whole", KEY, NAME, INODE, SIZE, TEMPORARY, DIGEST, MODIFIED, SEEN, TIME]      on the disk
                                                                before the file is published
    ["kept", NAME, SIZE, MODIFIED]                      taken, and still on the server
    ["published", KEY, TIME]
    ["wanted", KEY, TASK]                               an application wants this task for it
    ["settled"]                                         what was published so far is durable
    ["unknown", KEY, REASON]                            it is not, as far as can be told
    ["left", NAME, REASON, FAILED, TIME]
    ["aside", NAME, SIZE, MODIFIED, TRIES, REASON, TIME]        it is given up
    ["gone", NAME, TIME]                                it was, and is not there any more
    ["end", TIME, FILES, BYTES, SKIPPED, FAILED, WAITING, ERROR]
    ["back", KEY]                                       a power failure undid its publication
    ["open", KEY, NAME, INODE, SIZE, TEMPORARY, PUBLISHED]  of an earlier section, which the journal
                                                            has: not settled

Keys are RUN:NUMBER. Of a file that an application wants to be told of, the lines "whole" and "open"
have the name of the TASK besides: whichever run finds that it was published has it sent.
"""
import json
from typing import NamedTuple


# Of each kind, with its name
FIELDS = {'run': 9, 'whole': 10, 'published': 3, 'settled': 1, 'unknown': 3, 'back': 2, 'left': 5,
          'end': 8, 'open': 7, 'kept': 4, 'aside': 7, 'gone': 3, 'wanted': 3}
TOLD = 'whole', 'open'      # these may have a task besides
NOTHING = ['']

ENCODE = json.JSONEncoder(separators=(',', ':')).encode      # json.dumps would make one each time


class Version(NamedTuple):
    """A file that was whole, and not settled."""

    key: str
    name: str
    inode: int
    size: int
    temporary: str | None       # its name on the server until it is exported
    published: bool = False
    task: str = ''              # that an application wants when it was published


def line_of(event):
    return ENCODE(event).encode('ascii') + b'\n'


def parsed(data):
    """The events of notes (bytes): a list of lists. What is none keeps its number, as NOTHING."""
    return [_event(line) for line in data.splitlines()]


def _event(line):
    try:
        event = json.loads(line)
    except ValueError:      # half-written
        return NOTHING
    if not (isinstance(event, list) and event and isinstance(event[0], str)):
        return NOTHING
    fields = FIELDS.get(event[0])
    return event if len(event) == fields or (
        event[0] in TOLD and len(event) == fields + 1) else NOTHING


def unsettled(events):
    """What of these events was not settled: {name: Version}, the last version of each name.

    An earlier one must have been published: a name in the spool is free before.
    """
    found, names = {}, {}
    for event in events:
        kind = event[0]
        if kind in ('whole', 'open'):
            task = event[-1] if len(event) > FIELDS[kind] else ''
            version = Version(*event[1:6], kind == 'open' and event[6], task)
            found[version.name], names[version.key] = version, version.name
        elif kind in ('published', 'back') and event[1] in names:
            version = found.get(names[event[1]])
            if version is not None and version.key == event[1]:
                found[version.name] = version._replace(published=kind == 'published')
        elif kind == 'unknown':
            found.pop(names.get(event[1]), None)
        elif kind == 'settled':
            found = {name: version for name, version in found.items() if not version.published}
    return found


def open_line(version):
    return line_of(['open', *(version if version.task else version[:-1])])


def sections(events):
    """The sections of events: a list of lists, each of which begins with its run."""
    found = []
    for event in events:
        if event[0] == 'run':
            found.append([])
        if found and event[0] != 'open':
            found[-1].append(event)
    return found
