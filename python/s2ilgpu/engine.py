"""Engines: what computes."""

import functools

from ._library import Handle, text
from ._numbers import int32


def devices():
    """The names of the devices of this machine, fastest first."""
    return text("devices").split("\n")


class Engine(Handle):
    """The engine of a device.

    device: a name from devices(), or "auto" for the fastest. Arrays are memory of the CPU: its engine computes in
    place, others copy. threads: of the CPU engine; 0 for all processors.

    Calls on one engine wait for each other. A copy is the same engine, a pickle makes another of the same device and
    threads. Raises S2Error where there is no such device.
    """

    def __init__(self, device="cpu", threads=0):
        super().__init__("engine_create", device.encode(), int32(threads, "threads"))
        self._device, self._threads = device, threads

    def __reduce__(self):
        return Engine, (self._device, self._threads)


@functools.lru_cache(maxsize=None)
def default():
    """The CPU engine with all processors, shared by the calls that name no engine."""
    return Engine()
