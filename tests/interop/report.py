"""The outcome of the checks: a line for each, and the sum."""

import sys
import time
from contextlib import contextmanager

from environment import SKIPPED, Missing


class Failed(Exception):
    """What a check expected and did not find."""


def expect(is_so, message):
    if not is_so:
        raise Failed(message)


def brief(value, most=400):
    """A value in a message: enough to see what it is."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


class Report:
    """Counts the checks of one script."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    @contextmanager
    def check(self, name):
        """One check: what it raises is its failure, and goes no further."""
        started = time.monotonic()
        try:
            yield
        except Exception as error:
            self.failed += 1
            print(f"FAIL {name}: {indented(brief(reason(error), 2_000))}", flush=True)
        else:
            self.passed += 1
            seconds = time.monotonic() - started
            print(f"ok   {name}" + (f" ({seconds:.1f} s)" if seconds >= 1 else ""), flush=True)

    def close(self):
        """Prints the sum; the exit code of the script."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def reason(error):
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(reason(inner) for inner in error.exceptions)
    return str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"


def indented(text):
    return text.replace("\n", "\n       ")


def skipped(error: Missing):
    """Says why the checks cannot run here; the exit code of the script."""
    print(f"SKIP {error}", file=sys.stderr, flush=True)
    return SKIPPED


class Under:
    """A report whose checks are named after what they are part of."""

    def __init__(self, report, name):
        self.report, self.name = report, name

    def check(self, name):
        return self.report.check(f"{self.name}: {name}")
