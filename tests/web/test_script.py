"""scripts/web: what it refuses before it builds anything.

    pytest tests/web"""
import subprocess

from programs import root


def test_a_folder_of_somebody_else(folder):
    """Has a page already, or anything; none of it is overwritten, and a link to it is no way round."""
    for name in ('index.html', '.hidden'):
        page = folder / name[-5:]
        page.mkdir()
        (page / name).write_text('mine')
        link = folder / ('link-' + page.name)
        link.symlink_to(page)
        for place in (page, link):
            done = subprocess.run([root / 'scripts/web', place], capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode, done.stdout) == (2, '') and [path.name for path in page.iterdir()] == [name] and (page / name).read_text() == 'mine'
            assert done.stderr == 'web: %s: neither empty nor a page that scripts/web has built\n' % page.resolve()
