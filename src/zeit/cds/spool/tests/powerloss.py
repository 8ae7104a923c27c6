"""What a power failure could leave of a spool, by what a `recorder.Recorder` wrote down.

The model is more pessimistic than a disk: data that were not synced are lost; of the names that
were given, taken and changed since the last sync of the directories concerned, each may be lost or
kept, in any combination. A rename is one step, as every file system with a journal has it.

Who removes a file on the server adds ('removed on server', NAME) to the steps.
"""
import itertools


NAMING = ('rename', 'link', 'unlink')


def crashes(steps, ordered=False):
    """Iterate over what each crash could leave.

    How many steps were done, {(directory, name): inode}, and the set of whole inodes.

    ordered -- of what was not synced, the file system loses only the last steps, not any
    """
    for end in range(len(steps) + 1):
        done = steps[:end]
        whole = durable_inodes(done)
        open_questions = [n for n, step in enumerate(done)
                          if step[0] in NAMING and not is_durable(done, n)]
        for lost in losses(open_questions, ordered):
            yield end, entries(done, lost), whole


def losses(steps, ordered):
    if ordered:
        return [set(steps[n:]) for n in range(len(steps) + 1)]
    return [set(lost) for number in range(len(steps) + 1)
            for lost in itertools.combinations(steps, number)]


def durable_inodes(steps):
    whole, known = set(), set()
    for step in steps:
        if step[0] == 'create':
            known.add(step[1])
        elif step[0] == 'data':
            whole.discard(step[1])
        elif step[0] == 'sync':
            whole.add(step[1])
        elif step[0] == 'sync all':
            whole |= known
    return whole


def is_durable(steps, n):
    """Have all directories that step n concerns been synced after it?"""
    directories = set(steps[n][1::2])
    for step in steps[n + 1:]:
        if step[0] == 'sync all':
            return True
        if step[0] == 'sync directory':
            directories.discard(step[1])
    return not directories


def entries(steps, lost):
    found = {}
    for n, step in enumerate(steps):
        if n in lost:
            continue
        if step[0] == 'create':
            found[step[2:]] = step[1]
        elif step[0] == 'unlink':
            found.pop(step[1:], None)
        elif step[0] in ('rename', 'link') and step[1:3] in found:
            found[step[3:]] = found[step[1:3]]
            if step[0] == 'rename':
                del found[step[1:3]]
    return found


def faults(steps, ordered=False):
    """What would be lost, or partial, after which crash: a list of texts.

    Also the number of crashes looked at.
    """
    wrong, count = [], 0
    for end, found, whole in crashes(steps, ordered):
        count += 1
        for step in steps[:end]:
            if step[0] == 'removed on server' and not any(
                    found.get((directory, step[1])) in whole for directory in ('tmp', 'new')):
                wrong.append('after %d steps: %s is lost' % (end, step[1]))
        for (directory, name), inode in found.items():
            if inode not in whole and not directory.startswith('.'):
                wrong.append('after %d steps: %s/%s is partial' % (end, directory, name))
    return wrong, count
