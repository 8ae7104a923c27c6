"""Files are imported from a directory in which nothing can be changed, again and again, by runs
that are killed anywhere: does each version come once?
"""
import random

from zeit.cds.tests.crash.kills import Matrix
from zeit.cds.tests.importing import WHEN


class Archive(Matrix):
    """See above."""

    def __init__(self, server, files, seed=1):
        super().__init__(server, files, consume=True, journal='sqlite', afterwards='keep')
        self._random, self.kills = random.Random(seed), 0

    def run_often(self, runs):
        """What was wrong afterwards: a list of str."""
        self.prepare()
        steps = int(self.run().partition(' ')[0])
        self.take()
        for number in range(runs):
            for _ in range(self._random.randrange(3)):
                self._change(number)
            if self.run(self._random.randrange(1, 2 * steps)) is None:
                self.kills += 1
            self.check_nothing_partial(number)
            if self._random.random() < 0.5:
                self.take()
        for _ in range(2):
            self.run()
            self.take()
        self.wrong += self.kept.wrong(self.taken)
        self.look(runs)
        return self.wrong

    def _change(self, number):
        """A new file, or a new version of one, which another time or another size shows."""
        name = 'file-%d' % self._random.randrange(2 * self.files)
        earlier = {version for version in self.versions if version[0] == name.encode()}
        if earlier <= set(self.taken):
            self.offer(name, b'%d' % number * self._random.randrange(1, 500), WHEN + 10 + number)
