"""The page in Chromium: the text of smolrun, links, files that are none, packed messages, keyboard, labels, and sizes of screens.

    pytest tests/web --build BUILD_DIR --web PAGE       (PAGE: what scripts/web has built; by default build/web)

$SMOL_SCREENSHOTS: a folder for pictures of it, to be looked at."""
import base64
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
from programs import root, smolrun, smoltool

MODELS = root / 'models'


@pytest.fixture(scope='module')
def page(web):
    if not shutil.which('chromedriver') or not shutil.which('chromium'):
        pytest.skip('chromium and chromium-driver are not installed')
    pytest.importorskip('selenium', reason='python3-selenium is not installed')
    from browser import Page
    found = Page(web.parent, web.name + '/')  # below a prefix
    found.open()
    yield found
    found.close()


def printed(*arguments, stdin=''):
    return subprocess.run([str(a) for a in arguments], input=stdin.encode(), capture_output=True, check=True, timeout=100).stdout.decode()


def hash_of(path):
    return json.loads(printed(smoltool, 'inspect', '--json', path))['hash']


def test_it_writes_at_once_what_smolrun_writes(page):
    assert page.generated() == printed(smolrun, MODELS / 'shakespeare-64k.smol', '-p', 'ROMEO:', '-n', 400, '-s', 1)
    assert page.text_of('verdict-text') == "shakespeare-64k.smol is undamaged, and signed by smol's own key, EC5B695469B22B15."
    assert [entry for entry in page.driver.get_log('browser') if entry['level'] == 'SEVERE'] == []


@pytest.mark.parametrize('name, settings, options', [
    ('shakespeare-qr', {}, []), ('stories-256k', {'n': 80, 'seed': 2**64 - 1, 'temp': 1.2, 'topK': 0, 'topP': 0.9, 'minP': 0.02, 'repeatPenalty': 1.1},
                                 ['-n', 80, '-s', 2**64 - 1, '--temp', 1.2, '--top-k', 0, '--top-p', 0.9, '--min-p', 0.02, '--repeat-penalty', 1.1]),
    ('shakespeare-16k', {'n': ''}, ['-s', 1])])
def test_text_of_a_shipped_model(page, name, settings, options):
    defaults = ['-n', 400, '-s', 1]
    page.press('defaults')
    page.set(seed=1)
    page.run('document.querySelector(arguments[0]).click()', '.model input[value="models/%s.smol"]' % name)
    page.wait('the model', lambda: page.text_of('verdict-text').startswith(name))
    page.written()
    page.set(prompt='Once, "it\'s', **settings)
    page.press('write')
    page.written()
    assert page.generated() == printed(smolrun, MODELS / (name + '.smol'), '-p', 'Once, "it\'s', *(options or defaults))
    # The line for a terminal is of the same text.
    line = page.text_of('command').replace('smolrun %s.smol' % name, shlex.join([str(smolrun), str(MODELS / (name + '.smol'))]))
    assert subprocess.run(line, shell=True, capture_output=True, check=True, timeout=100).stdout.decode() == page.generated()


def test_a_link_repeats_the_text(page):
    page.set(prompt='& so\n#é', n=50, temp=1.5)
    page.press('again')
    page.written()
    text, address = page.generated(), page.driver.current_url
    assert page.find('seed').get_attribute('value') in address
    page.open(address.split('/')[-1])
    assert page.generated() == text
    assert page.find('temp').get_attribute('value') == '1.5' and page.text_of('notice') == ''


def test_a_link_of_another_model(page):
    """Says so and what to do, writes meanwhile, says so again of a wrong file, and writes its text once the right one is opened."""
    wanted = MODELS / 'messages-256k.smol'
    page.open('#model=%s&prompt=see+you&seed=5&n=60' % hash_of(wanted)[:32])
    assert 'another model' in page.text_of('notice') and hash_of(wanted)[:16] in page.text_of('notice') and 'open its file' in page.text_of('notice')
    page.choose(root / 'tests/golden/good/smol-signed.smol')
    page.written()
    assert 'another model' in page.text_of('notice') and 'open its file' in page.text_of('notice')
    page.choose(wanted)
    page.written()
    assert page.text_of('notice') == ''
    assert page.generated() == printed(smolrun, wanted, '-p', 'see you', '-n', 60, '-s', 5)


def drop(page, path):
    page.run('''document.getElementById('status').textContent = '';
        const files = new DataTransfer();
        files.items.add(new File([Uint8Array.from(atob(arguments[1]), (c) => c.charCodeAt(0))], arguments[0]));
        dispatchEvent(new DragEvent('drop', { dataTransfer: files, cancelable: true }));''', path.name, base64.b64encode(path.read_bytes()).decode())


def test_a_link_whose_model_is_dropped(page):
    """The same as one that is opened by the button."""
    wanted = MODELS / 'messages-256k.smol'
    page.open('#model=%s&prompt=see+you&seed=5&n=60' % hash_of(wanted)[:32])
    drop(page, wanted)
    page.wait('the model', lambda: page.text_of('verdict-text').startswith(wanted.name))
    page.written()
    assert page.text_of('notice') == ''
    assert page.generated() == printed(smolrun, wanted, '-p', 'see you', '-n', 60, '-s', 5)


def test_a_file_of_ones_own(page, folder):
    for name, source, verdict in (('mine.smol', 'shakespeare-qr', 'is undamaged. It is not signed'), ('other.smol', None, 'which this page does not know')):
        path = folder / name
        path.write_bytes((MODELS / (source + '.smol') if source else root / 'tests/golden/good/smol-signed.smol').read_bytes())
        page.set(prompt='a', n=30, seed=3)
        page.choose(path)
        page.written()
        assert page.text_of('verdict-text').startswith(name) and verdict in page.text_of('verdict-text')
        assert page.generated() == printed(smolrun, path, '-p', 'a', '-n', 30, '-s', 3, '--temp', page.find('temp').get_attribute('value'))


def test_facts(page):
    page.choose(MODELS / 'shakespeare-1m.smol')
    page.written()
    facts = json.loads(printed(smoltool, 'inspect', '--json', MODELS / 'shakespeare-1m.smol'))
    shown = page.text_of('facts')
    for value in (facts['hash'], facts['signer'], facts['method'], '{:,}'.format(facts['file_bytes']), '{:,}'.format(facts['non_embedding_params'])):
        assert value in shown, value
    assert facts['card']['made_by'] in page.text_of('card')
    sizes = [int(n.replace(',', '')) for n in page.run('return [...document.querySelectorAll("#legend span")].map((x) => x.textContent)')]
    assert sum(sizes) == facts['file_bytes']


def damaged(at):
    data = bytearray((MODELS / 'shakespeare-16k.smol').read_bytes())
    data[at] ^= 4
    return bytes(data)


@pytest.mark.parametrize('name, content, words', [
    ('empty.smol', b'', 'is empty: byte 0: truncated header'), ('notes.txt', b'Dear diary, ' * 20, 'is no model: byte 0: not a .smol file'),
    ('short.smol', damaged(9000)[:9000], 'is damaged: byte '), ('flipped.smol', damaged(9000), 'is damaged: byte ')])
def test_files_that_are_no_models(page, folder, name, content, words):
    """One line, which names the file, the byte and the rule; what was open stays open."""
    (folder / name).write_bytes(content)
    before = page.text_of('sum')
    page.find('file').send_keys(str(folder / name))
    page.wait('line', lambda: page.text_of('alert').startswith(name))
    line = subprocess.run([smoltool, 'verify', folder / name], capture_output=True, text=True, check=False).stderr.strip().split('%s: ' % (folder / name))[1]
    assert words in page.text_of('alert') and line in page.text_of('alert') and 'stays open' in page.text_of('alert')
    assert page.text_of('sum') == before


def test_models_that_do_not_run_here(page):
    page.choose(root / 'tests/golden/deltas/lora.smol')
    page.wait('line', lambda: 'is a delta' in page.text_of('alert'))
    assert page.run('return document.getElementById("write").disabled')
    page.choose(root / 'tests/golden/good/bpe.smol')
    page.written()
    page.set(prompt='hello')
    page.press('write')
    page.wait('line', lambda: 'merged pieces of text (BPE)' in page.text_of('status'))


def test_a_delta_ends_the_text_that_is_being_written(page):
    page.choose(MODELS / 'shakespeare-qr.smol')
    page.written()
    page.set(n=100000)
    page.press('write')
    page.wait('text', lambda: page.text_of('made'))
    page.choose(root / 'tests/golden/deltas/lora.smol')
    page.wait('line', lambda: 'is a delta' in page.text_of('alert'))
    assert page.find('text').get_attribute('aria-busy') == 'false' and page.generated() == ''
    assert page.run('return document.getElementById("stop").disabled')
    page.press('defaults')


def test_wrong_settings_are_refused(page):
    page.choose(MODELS / 'shakespeare-qr.smol')
    page.written()
    page.set(topP=2)
    before = page.generated()
    page.press('write')
    assert page.run('return document.getElementById("settings").open && document.activeElement.id') == 'topP'
    assert page.generated() == before
    page.press('defaults')


def test_stop(page):
    page.set(n=100000, seed=1, prompt='a')
    page.press('write')
    page.wait('text', lambda: page.text_of('made'))
    page.press('stop')
    page.wait('stop', lambda: page.text_of('status') == 'Stopped.')
    made = page.text_of('made')
    assert page.run('return new Promise((done) => setTimeout(() => done(document.getElementById("made").textContent), 200))') == made
    page.set(n=20)
    page.press('write')
    page.written()
    assert page.generated() == printed(smolrun, MODELS / 'shakespeare-qr.smol', '-p', 'a', '-n', 20, '-s', 1)


def test_texts_that_are_begun_anew_do_not_delay_others(page):
    """After 60 of them a message is packed at once: the least of five waits, for the machine may be busy."""
    page.choose(MODELS / 'shakespeare-qr.smol')
    page.written()
    page.set(n=100000, message='hello')
    waits = page.run('''const $ = (id) => document.getElementById(id), waits = [];
        for (let i = 0; i < 60; i++)
          $('write').click();
        for (let i = 0; i < 5; i++) {
          const begin = performance.now();
          $('pack').click();
          while ($('pack-status').textContent === 'Packing…')
            await new Promise((done) => setTimeout(done, 1));
          waits.push(performance.now() - begin);
        }
        return waits;''')
    assert min(waits) < 300, waits
    page.press('stop')
    page.press('defaults')


def test_messages(page):
    """Packed here, smoltool unpacks it, and the other way round."""
    model = MODELS / 'messages-64k.smol'
    page.choose(model)
    page.written()
    for check, text in (([], 'Running late, see you at the pier at 6'), (['--check'], 'grüße, 你好')):
        page.run('document.getElementById("check").checked = arguments[0]', bool(check))
        page.set(message=text, packed='')
        page.run('document.getElementById("pack").click()')
        packed = page.wait('packed text', lambda: page.find('packed').get_attribute('value'))
        assert packed == printed(smoltool, 'pack', '-m', model, '--text', *check, stdin=text).strip()
        assert printed(smoltool, 'unpack', '-m', model, '--text', *check, stdin=packed) == text
        page.set(message='')
        page.run('document.getElementById("unpack").click()')
        assert page.wait('text', lambda: page.find('message').get_attribute('value')) == text
    page.set(packed='not packed by it')
    page.run('document.getElementById("unpack").click()')
    page.wait('line', lambda: page.text_of('pack-status').startswith('Not done: '))


def test_keyboard(page):
    """From the start of the page by Tab and Enter alone: the models, the text, a file, settings, messages."""
    from selenium.webdriver.common.keys import Keys
    page.open()
    page.run('document.activeElement.blur(); scrollTo(0, 0)')
    reached, body = [], page.find('write-form')
    for _ in range(30):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        active = page.run('const a = document.activeElement; return [a.id || a.name || a.tagName, getComputedStyle(a).outlineStyle, a.closest(".model") && getComputedStyle(a.nextSibling).outlineStyle]')
        reached.append(active[0])
        assert 'none' not in [active[2] or active[1]], 'no focus mark on %s' % active[0]
        if active[0] == 'check':
            break
    order = ['model', 'open', 'prompt', 'write', 'again', 'text', 'link', 'copy', 'message', 'pack', 'packed', 'unpack', 'check']
    assert [x for x in reached if x in order] == order, reached
    page.find('prompt').send_keys(Keys.CONTROL, 'a')
    page.run('document.getElementById("status").textContent = ""')
    page.find('prompt').send_keys('JULIET:', Keys.ENTER)
    page.written()
    assert page.generated() == printed(smolrun, MODELS / 'shakespeare-64k.smol', '-p', 'JULIET:', '-n', 400, '-s', 1)
    assert body


def test_every_control_has_a_name(page):
    names = page.run('''return [...document.querySelectorAll('button, input, textarea, summary, [role=img], [tabindex="0"]')].map((x) =>
        [x.id || x.className, (x.getAttribute('aria-label') || [...(x.labels ?? [])].map((l) => l.textContent).join('') || x.textContent).trim()])''')
    assert len(names) > 25 and not [n for n, label in names if not label], names
    assert page.run('return document.documentElement.lang') == 'en'
    assert page.run('return [...document.querySelectorAll("[role=status]")].length') == 2


@pytest.mark.parametrize('width, height, dark', [(360, 740, False), (360, 740, True), (820, 1100, False), (1440, 900, False), (1440, 900, True)])
def test_screens(page, width, height, dark):
    """Nothing is wider than the screen, with everything unfolded; text has enough contrast."""
    page.size(width, height, dark)
    page.run('for (const x of document.querySelectorAll("details")) x.open = true')
    overflow = page.run('''return [document.documentElement.scrollWidth - innerWidth, [...document.querySelectorAll('main *')].filter((x) => x.getBoundingClientRect().right > innerWidth + 1
        && !x.closest('.hidden')).map((x) => x.id || x.className)]''')
    assert overflow == [0, []]
    for selector in ('.lead', '.sub', '.what', '.verdict', '#status', '#given', '#made', 'small', '.plain', '#facts dt', 'footer', '.main'):
        colours = page.run('''let x = document.querySelector(arguments[0]), c = getComputedStyle(x).color, b = x;
            while (b && /, 0\\)|transparent/.test(getComputedStyle(b).backgroundColor)) b = b.parentElement;
            return [c, getComputedStyle(b ?? document.documentElement).backgroundColor]''', selector)
        assert contrast(*colours) >= 4.5, (selector, colours)
    if os.environ.get('SMOL_SCREENSHOTS'):
        page.size(width, page.run('return document.documentElement.scrollHeight'), dark)
        page.driver.save_screenshot(str(pathlib.Path(os.environ['SMOL_SCREENSHOTS']) / ('%d-%s.png' % (width, 'dark' if dark else 'light'))))


def contrast(a, b):
    """Of two colours, by WCAG 2."""
    def luminance(colour):
        parts = [int(n) / 255 for n in re.findall(r'\d+', colour)[:3]]
        r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_what_the_page_knows(web):
    """The hashes of the models and the key that are written in app.js are those of the files."""
    code = (web / 'app.js').read_text()
    shipped = re.findall(r"file: '(models/[\w-]+\.smol)'.*hash: '([0-9a-f]{32})'", code)
    assert len(shipped) == len(list((web / 'models').iterdir())) == 5
    for name, start in shipped:
        assert hash_of(root / name).startswith(start)
        assert (web / name).read_bytes() == (root / name).read_bytes()
    assert "SMOL_KEY = '%s'" % (MODELS / 'smol-4.pub').read_text().splitlines()[1] in code
