"""Accounts that may not do all, and what a person has to learn of it."""
from zeit.cds.testing.cases import case
from zeit.cds.testing.cases.stub import Server, Session


ARTICLE = {'a.xml': b'a' * 100}


class FullQuota(Session):

    def do_STOR(self, argument):
        self.say('552 Requested file action aborted. Exceeded storage allocation.')


@case
def quota_on_the_lock_file(case):
    server = Server(FullQuota, ARTICLE)
    result = case.run(server)
    case.claim('the status is 1', result.status == 1)
    case.claim('the log quotes the server', '552' in result.log)
    case.claim('the message says that it was the lock file', 'lock' in result.last_words)
    case.claim('nothing stays', not server.store.dirs)


class ReadOnly(Session):

    def do_STOR(self, argument):
        self.say('550 Permission denied.')

    do_MKD = do_DELE = do_STOR


@case
def account_that_may_only_read(case):
    server = Server(ReadOnly, ARTICLE)
    result = case.run(server)
    case.claim('the status is 1', result.status == 1)
    case.claim('the file is still there', 'a.xml' in server.store.files)
    case.claim('the message says that it was the lock file', 'lock' in result.last_words)


class Expired(Session):

    def do_PASS(self, argument):
        self.say('230-Your password has expired 3 days ago.\n230-2 grace logins are left.\n'
                 ' 230 is the code.\n2300 users\n230 Logged in.')


@case
def password_has_expired(case):
    result = case.arrives(Server(Expired, ARTICLE), 'a.xml')
    case.claim('a person learns of it', 'expired' in result.log)


class TooMany(Session):

    def do_PASS(self, argument):
        self.say('530 Sorry, the maximum number of clients (10) from your host are connected.')


@case
def too_many_clients_is_no_wrong_password(case):
    result = case.run(Server(TooMany, ARTICLE))
    case.claim('the status is not that of a wrong password', result.status in (69, 75))
    case.claim('the log quotes the server', 'maximum number of clients' in result.log)
