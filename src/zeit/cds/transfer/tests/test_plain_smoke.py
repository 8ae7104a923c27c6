from zeit.cds.transfer.tests.plain import Exchanges


class Smoke(Exchanges):

    files = {'%02d' % n: b'x' * n for n in range(40)}

    def test_import(self):
        for blocking in False, True:
            for connections in 1, 4:
                with self.subTest(blocking=blocking, connections=connections):
                    server = self.serve(files=self.files, blocking=blocking)
                    outcome = self.run_it(self.import_(server, connections=connections))
                    self.assertTrue(outcome.successful, self.log.text)
                    self.assertEqual((self.files, {}), (self.spool('new'), server.files), self.log.text)
                    self.assertEqual(connections, len(server.sessions))
                    for name in self.files:
                        import os; os.unlink(self.store_dir + '/new/' + name)

    def test_export(self):
        for blocking in False, True:
            for connections in 1, 4:
                with self.subTest(blocking=blocking, connections=connections):
                    for name, data in self.files.items():
                        self.offer(name, data)
                    server = self.serve(blocking=blocking)
                    outcome = self.run_it(self.export(server, connections=connections))
                    self.assertTrue(outcome.successful, self.log.text)
                    self.assertEqual((self.files, {}), (server.files, self.spool('new')), self.log.text)
                    self.assertEqual(connections, len(server.sessions))
