"""The recipe "A model in a page" of docs/cookbook.md: its page in Chromium, and its command in Node, write what smolrun writes.

    pytest tests/web --build BUILD_DIR --web PAGE       (PAGE: what scripts/web has built, as the recipe's first command does)"""
import re
import shlex
import shutil
import subprocess

import pytest
from programs import root, run, smolrun
from recipes import Kitchen
from serving import Server


def shown(folder, name):
    """A page's HTML in Chromium, once its script is done."""
    server = Server(folder)
    try:
        return subprocess.run(['chromium', '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--virtual-time-budget=20000', '--dump-dom',
                               server.address + name], capture_output=True, text=True, timeout=100, check=True).stdout
    finally:
        server.close()


def test_a_page(folder, web):
    for tool in ('node', 'chromium'):
        if not shutil.which(tool):
            pytest.skip('%s is not installed' % tool)
    kitchen = Kitchen(folder, **{'scripts/web page': 'cp -r %s page' % shlex.quote(str(web))})
    kitchen.cook('A model in a page')
    written = re.search(r'<pre id="text">(.*?)</pre>', shown(folder / 'page', 'hello.html'), re.S).group(1)
    assert written == run(smolrun, root / 'models/shakespeare-16k.smol', '-p', 'ROMEO:', '-n', 64, '-s', 1, text=True).stdout.rstrip('\n')
