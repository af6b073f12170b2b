"""A page in Debian's Chromium, driven by its chromedriver, from a plain file server."""
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from serving import Server

FLAGS = ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-first-run', '--disable-background-networking')


class Page:
    """The page, with words for what the tests do to it."""

    def __init__(self, folder, prefix=''):
        self.server = Server(folder)
        self.address = self.server.address + prefix
        options = Options()
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
        self.driver = webdriver.Chrome(service=Service('/usr/bin/chromedriver'), options=options)
        self.driver.set_script_timeout(60)

    def close(self):
        self.driver.quit()
        self.server.close()

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, what, of, seconds=60):
        """Until of() is true; returns it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = of()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError('no %s within %d s; status %r, alert %r' % (what, seconds, self.text_of('status'), self.text_of('alert')))

    def text_of(self, name):
        return self.run('return document.getElementById(arguments[0]).textContent', name)

    def open(self, fragment=''):
        """Anew, until the first text is written."""
        self.driver.get('about:blank')
        self.driver.get(self.address + fragment)
        self.written()

    def written(self):
        return self.wait('end of the text', lambda: ' tokens' in self.text_of('status') and self.find('text').get_attribute('aria-busy') == 'false')

    def generated(self):
        return self.text_of('given') + self.text_of('made')

    def set(self, **values):
        for name, value in values.items():
            self.run('document.getElementById(arguments[0]).value = arguments[1]', name, str(value))

    def press(self, name):
        self.run('document.getElementById("status").textContent = ""')
        self.run('document.getElementById(arguments[0]).click()', name)

    def choose(self, path):
        """A file, as by the button."""
        self.run('document.getElementById("status").textContent = document.getElementById("verdict-text").textContent = ""')
        self.find('file').send_keys(str(path))

    def size(self, width, height, dark=False):
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': width < 600})
        self.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {'features': [{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}]})
