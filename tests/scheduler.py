"""How tests/run works off its jobs: as many at a time as there are processors, what others wait for first, then the longest; and how
it reads from what a job printed how many cases passed and failed."""
import dataclasses
import os
import re
import signal
import subprocess
import threading
import time


@dataclasses.dataclass
class Job:
    """A command of a stage. It starts once the builds that it needs are there, and is stopped after so many seconds."""
    stage: str
    name: str
    command: list
    needs: tuple = ()
    environment: dict = dataclasses.field(default_factory=dict)
    limit: float = 300
    weight: float = 1  # about how many seconds; the longest starts first
    is_build: bool = False
    counts: str = 'cases'  # 'cases': what it prints; 'exit': one, by its exit code; 'fuzz': one, if it ran at all
    passed: int = 0
    failed: int = 0
    wall: float = 0
    cpu: float = 0
    output: str = ''

    def fault(self, why):
        self.failed += 1
        self.output += 'FAILED: %s: %s\n' % (self.name, why)

    def end(self, code, text):
        """Counts what it printed: Criterion's synthesis, or a last line "N passed, M failed". A program that crashed, hung or ran no
        case is a failed case. Criterion's skipped cases are not among those it tested."""
        self.output += re.sub(r'\x1b\[[0-9;]*m', '', text)
        if self.counts == 'exit':
            self.passed = int(code == 0)
        elif self.counts == 'fuzz':
            self.passed = int(code == 0 and re.search(r', [1-9][0-9]* executions$', text.rstrip()) is not None)
        elif found := re.findall(r'Synthesis: Tested: *(\d+) *\| *Passing: *(\d+)', self.output):
            tested, self.passed = map(int, found[-1])
            self.failed = tested - self.passed
        elif found := re.search(r'(?:^|\n)(\d+) passed, (\d+) failed\s*$', self.output):
            self.passed, self.failed = int(found.group(1)), int(found.group(2))
        if code != 0 and not self.failed:
            self.fault('exit code %d, though no case failed' % code)
        elif code == 0 and self.failed:
            self.output += 'note: %s exits with 0 though cases failed\n' % self.name
        elif not self.passed and not self.failed:
            self.fault('ran no case')

    def skipped(self):
        """The lines that name the cases that could not run here, each with its reason."""
        criterion = re.findall(r'^\[SKIP\] (.*)$', self.output, re.M)
        return ['skipped: ' + line for line in criterion] or re.findall(r'^skipped: .*$', self.output, re.M)


class Scheduler:
    """Runs jobs on threads; told(job) is called, one call at a time, after each."""

    def __init__(self, jobs, slots, told, folder):
        self.waiting = sorted(jobs, key=lambda job: (not job.is_build, -job.weight))
        self.slots, self.told, self.folder = slots, told, folder
        self.built, self.processes, self.change = {}, set(), threading.Condition()

    def run(self):
        threads = [threading.Thread(target=self.work, daemon=True) for _ in range(self.slots)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            for process in list(self.processes):
                kill(process)
            raise

    def next(self):
        """The first job whose builds are done; waits for one; None when all are given out."""
        with self.change:
            while self.waiting:
                for job in self.waiting:
                    if all(name in self.built for name in job.needs):
                        self.waiting.remove(job)
                        return job
                self.change.wait()
            return None

    def work(self):
        while job := self.next():
            missing = [name for name in job.needs if not self.built[name]]
            if missing:
                job.fault('no %s build' % ', '.join(missing))
            else:
                self.start(job)
            with self.change:
                if job.is_build:
                    self.built[job.name] = not job.failed
                self.told(job)
                self.change.notify_all()

    def start(self, job):
        begun = time.monotonic()
        path = os.path.join(self.folder, 'job.%d' % id(job))
        with open(path, 'wb') as out:
            try:
                process = subprocess.Popen([str(word) for word in job.command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                           env={**os.environ, **job.environment}, start_new_session=True)
            except OSError as error:
                job.fault(str(error))
                return
        self.processes.add(process)
        status, usage = wait(process, begun + job.limit)
        self.processes.discard(process)
        job.wall, job.cpu = time.monotonic() - begun, usage.ru_utime + usage.ru_stime
        with open(path, encoding='utf-8', errors='replace') as out:
            text = out.read()
        os.unlink(path)
        if status is None:
            text += '\nstopped after %d s\n' % job.limit
        job.end(124 if status is None else os.waitstatus_to_exitcode(status), text)


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait(process, until):
    """The status, or None if it had to be stopped; and what it used, its own children included."""
    pause = 0.005
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = status
            return status, usage
        if time.monotonic() > until:
            kill(process)
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = -signal.SIGKILL
            return None, usage
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
