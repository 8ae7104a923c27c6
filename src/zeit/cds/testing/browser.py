"""Chromium, as Debian has it, for tests of pages; driven by Playwright.

    with browser.page(color_scheme='dark') as page:
        page.goto(url)              # see Playwright
    page.complaints                 # what the browser had to say about it

What a page logs, a violation of its Content-Security-Policy, and a dialog are complaints.
"""
import contextlib
import os
import shutil

from zeit.cds.testing.server import unpacked


AXE = 'axe-core-4.14.1/axe.min.js'
WANTED = 'Chromium is missing: run tools/install-chromium.'
PHONE = dict(viewport={'width': 390, 'height': 844}, device_scale_factor=2, is_mobile=True,
             has_touch=True)
HEAR_VIOLATIONS = '''
document.addEventListener('securitypolicyviolation', event => console.error(
    'CSP: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample))
'''


class Chromium:
    """A browser without a screen."""

    name = 'Chromium'

    def __init__(self):
        self._playwright = self._browser = None

    @classmethod
    def missing(cls):
        """None, or what a person must do so that it can run (str)."""
        if shutil.which('chromium') is None or not os.path.exists(axe()):
            return WANTED

    @property
    def pid(self):
        """None if it is not running."""
        return self._browser and 1

    def start(self):
        from playwright.sync_api import sync_playwright
        self._playwright = sync_playwright().start()
        self.restart()

    def restart(self):
        self._browser = self._playwright.chromium.launch(
            executable_path=shutil.which('chromium'), args=['--disable-dev-shm-usage'])

    def clear(self):
        """Nothing is left of one page when there is another."""

    def stop(self):
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        self._playwright = self._browser = None

    @contextlib.contextmanager
    def page(self, **options):
        """A context manager around a page of Playwright, with a list of `complaints` (str).

        options -- as `new_context` has them
        """
        with self._browser.new_context(**options) as context:
            context.add_init_script(HEAR_VIOLATIONS)
            page = context.new_page()
            complaints = page.complaints = []
            page.on('console', lambda message: complaints.append(
                '%s: %s' % (message.type, message.text)))
            page.on('pageerror', lambda error: complaints.append(str(error)))
            page.on('dialog', lambda dialog: (
                complaints.append('dialog: ' + dialog.message), dialog.dismiss()))
            yield page


def axe():
    """Where axe-core is, str."""
    return os.path.join(unpacked(), AXE)


def barriers(page):
    """What axe-core finds in a page that keeps somebody from using it: list of str."""
    with open(axe(), encoding='utf-8') as f:
        page.evaluate(f.read() + '\n;0')
    found = page.evaluate('axe.run(document, {resultTypes: ["violations"]})')
    return ['%s: %s: %s' % (one['impact'], one['id'], node['html'][:200])
            for one in found['violations'] if one['impact'] in ('serious', 'critical')
            for node in one['nodes']]
