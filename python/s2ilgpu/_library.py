"""Finds and loads the library, once, and turns its statuses into exceptions."""

import ctypes
import functools
import os
import signal
import sys
import threading
from pathlib import Path

from . import _dotnet
from ._structures import API_VERSION, Api

LIBRARY_VARIABLE = "S2ILGPU_LIBRARY"
RUNTIME_VARIABLE = "S2ILGPU_RUNTIME"
NATIVE, DOTNET = "native", "dotnet"

_SUFFIX = ".dll" if sys.platform == "win32" else ".dylib" if sys.platform == "darwin" else ".so"
_MEMORY = 5


class S2Error(ValueError):
    """A call of the library failed. status: s2_status of the C interface."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


@functools.lru_cache(maxsize=None)
def api():
    """The table of functions. Raises OSError where the library cannot be loaded."""
    path, kind = find()
    try:
        if kind == DOTNET:
            address = _dotnet.load(path)
        else:
            address = ctypes.cast(ctypes.CDLL(str(path)).s2_get_api, ctypes.c_void_p).value
    except AttributeError:
        raise OSError(f"{path} is not S2ILGPU: it has no s2_get_api") from None
    get_api = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int32, ctypes.c_int64, ctypes.POINTER(Api))(address)
    table = Api()
    status = get_api(API_VERSION, ctypes.sizeof(Api), ctypes.byref(table))
    if status:
        raise OSError(f"{path} has another version of the interface than {API_VERSION} of this package")
    table.process = os.getpid()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_come, after_in_child=_take_signals_back)
    return table


# .NET's handlers tell the process through a pipe, which a fork shares: a signal for the child would end the parent. So
# the child gets Python's own handlers back, and no signal before.
_held = threading.local()


def _hold_signals():
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _let_signals_come():
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _take_signals_back():
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        try:
            if handler is not None:
                signal.signal(number, handler)
        except OSError:
            pass                                        # SIGKILL and SIGSTOP stay
    _let_signals_come()


def find():
    """The library and its kind: S2ILGPU_LIBRARY, or one in the package: compiled ahead of time ("native", the CPU
    engine, loads in milliseconds) before .NET assemblies ("dotnet", needs a .NET runtime, has GPUs) unless
    S2ILGPU_RUNTIME names the kind."""
    given, wanted = os.environ.get(LIBRARY_VARIABLE), os.environ.get(RUNTIME_VARIABLE)
    if wanted not in (None, "", NATIVE, DOTNET):
        raise OSError(f"{RUNTIME_VARIABLE} is {NATIVE} or {DOTNET}, not {wanted!r}")
    if given:
        path = Path(given)
        if not path.is_file():
            raise OSError(f"{LIBRARY_VARIABLE}: there is no file {given}")
        return path, DOTNET if path.with_suffix(".runtimeconfig.json").is_file() else NATIVE
    folder = Path(__file__).parent
    native, dotnet = folder / NATIVE / f"S2ILGPU.Native{_SUFFIX}", folder / DOTNET / "S2ILGPU.Native.dll"
    for path, kind in ((native, NATIVE), (dotnet, DOTNET)):
        if path.is_file() and wanted in (None, "", kind):
            return path, kind
    raise OSError(f"no library in {folder} for {RUNTIME_VARIABLE}={wanted or 'any'}: install a wheel that has one, or "
                  f"set {LIBRARY_VARIABLE} to S2ILGPU.Native.dll or S2ILGPU.Native{_SUFFIX}")


def runtime():
    """Which library is in use: "native" or "dotnet"."""
    return find()[1]


def call(name, *arguments):
    """Calls a function of the table.

    Raises S2Error with its message, MemoryError, or RuntimeError in a forked process.
    """
    table = api()
    if table.process != os.getpid():
        raise RuntimeError("the library was loaded before this process was forked, which no .NET code survives; use "
                           "the start method 'spawn' or 'forkserver', or import s2ilgpu in the child only")
    status = getattr(table, name)(*arguments)
    if status:
        message = text("last_error")
        raise MemoryError(message) if status == _MEMORY else S2Error(status, message)


def text(name, *arguments):
    """A text of the library."""
    length = ctypes.c_int64()
    call(name, *arguments, None, 0, ctypes.byref(length))
    buffer = ctypes.create_string_buffer(length.value + 1)
    call(name, *arguments, buffer, len(buffer), ctypes.byref(length))
    return buffer.value.decode()


class Handle:
    """A number of the library, released with the object. Immutable, for use from any thread.

    A copy is the object itself: two owners of a number would release it twice. Classes say in __reduce__ how a pickle
    makes another.
    """

    def __init__(self, name, *arguments):
        handle = ctypes.c_uint64()
        call(name, *arguments, ctypes.byref(handle))
        self.handle = handle.value
        self._process = os.getpid()

    def __del__(self):
        if getattr(self, "handle", 0) and self._process == os.getpid() and not sys.is_finalizing():
            api().release(self.handle)
            self.handle = 0

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        raise TypeError(f"a {type(self).__name__} cannot be pickled")

    def __repr__(self):
        return f"<{type(self).__name__}: {text('describe', self.handle)}>"
