"""Standard streams that stop nothing: full disks, readers that leave early, narrow encodings."""

import errno
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FAILED = 1


class _Device(io.FileIO):
    """A file, a pipe or a terminal that takes whatever is written, and keeps why it was lost."""

    error: OSError | None = None

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError as error:
            # A reader that leaves, such as `head`, has all it wants.
            if error.errno != errno.EPIPE:
                self.error = error
            return memoryview(data).nbytes


def protect() -> list[_Device]:
    """Replace standard streams by some that raise nothing; return the devices below them.

    What their encoding lacks is replaced. Stand-ins, as in a notebook, are left as they are.
    """
    devices = []
    for name, errors in (("stdout", "replace"), ("stderr", "backslashreplace")):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        try:
            device = _Device(stream.fileno(), "w", closefd=False)
        except OSError:
            continue
        protected = io.TextIOWrapper(
            device if stream.write_through else io.BufferedWriter(device),
            stream.encoding,
            errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, protected)
        devices.append(device)
    return devices


@contextmanager
def output() -> Iterator[None]:
    """Let nothing that happens to its output stop a command; end it in SystemExit.

    Output that could not be written is reported at the end, and fails a command that has no other
    exit code. A reader that leaves early misses the rest.
    """
    before = sys.stdout, sys.stderr
    devices = protect()
    code = None
    try:
        try:
            yield
        except SystemExit as ended:
            code = ended.code
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        reasons = {device.error.strerror for device in devices if device.error is not None}
        for reason in reasons:
            print(f"error: the output could not be written ({reason})", file=sys.stderr)
            code = code or FAILED
        sys.exit(code)
    finally:
        sys.stdout, sys.stderr = before
