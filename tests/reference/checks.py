"""Counting checks, for the fixture `check` of conftest.py: each prints a line when it fails."""
import subprocess


class Checks:
	def __init__(self):
		self.passed = self.failed = 0

	def that(self, ok, what):
		if ok:
			self.passed += 1
		else:
			self.failed += 1
			print('FAILED: %s' % what, flush=True)
		return ok

	def equal(self, got, want, what):
		return self.that(got == want, '%s: got %.300r, want %.300r' % (what, got, want))

	def add(self, passed, failed, what):
		"""What another program has counted."""
		self.passed, self.failed = self.passed + passed, self.failed + failed
		if failed:
			print('FAILED: %s' % what, flush=True)


def command(*words, stdin=b''):
	"""Runs a program; one that cannot be started, or hangs, is as one that fails."""
	words = [str(w) for w in words]
	try:
		return subprocess.run(words, input=stdin, capture_output=True, timeout=120)
	except (OSError, subprocess.TimeoutExpired) as e:
		return subprocess.CompletedProcess(words, 127, b'', str(e).encode())
