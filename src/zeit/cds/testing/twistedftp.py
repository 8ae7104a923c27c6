"""Twisted's FTP server as a program: twistedftp.py HOST PORT USER PASSWORD DIRECTORY

It runs in an environment that has Twisted, but not this package.
"""
import sys

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.protocols.ftp import BaseFTPRealm, FTPFactory
from twisted.python.filepath import FilePath


class Realm(BaseFTPRealm):
    """Everybody who may log in is at home in the one directory."""

    def getHomeDirectory(self, avatarId):
        return FilePath(self.anonymousRoot.path)


def main():
    host, port, user, password, directory = sys.argv[1:]
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser(user, password)     # str, as the server knows no others
    factory = FTPFactory(Portal(Realm(directory), [checker]))
    factory.allowAnonymous = False
    reactor.listenTCP(int(port), factory, interface=host)
    reactor.run()


if __name__ == '__main__':
    main()
