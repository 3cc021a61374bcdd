"""s2_get_api of the .NET assembly, by the installed runtime: libhostfxr loads it, no compiler is needed."""

import ctypes
import os
import shutil
import sys
from pathlib import Path

LOAD_ASSEMBLY_AND_GET_FUNCTION_POINTER = 5
UNMANAGED_CALLERS_ONLY = ctypes.c_void_p(-1)
TYPE, METHOD = "S2ILGPU.Native.Exports, S2ILGPU.Native", "GetApi"

_WINDOWS = sys.platform == "win32"
_FILE = "hostfxr.dll" if _WINDOWS else "libhostfxr.dylib" if sys.platform == "darwin" else "libhostfxr.so"
_Text = ctypes.c_wchar_p if _WINDOWS else ctypes.c_char_p


def find_hostfxr():
    """The newest libhostfxr of DOTNET_ROOT, of `dotnet` on the PATH, or of where installers put .NET; else None."""
    dotnet = shutil.which("dotnet")
    roots = [os.environ["DOTNET_ROOT"]] if os.environ.get("DOTNET_ROOT") else [
        *([os.path.dirname(os.path.realpath(dotnet))] if dotnet else []),
        "/usr/share/dotnet", "/usr/lib/dotnet", "/usr/local/share/dotnet", r"C:\Program Files\dotnet",
    ]
    for root in roots:
        found = list(Path(root).glob(f"host/fxr/*/{_FILE}"))
        if found:
            return max(found, key=lambda file: _version(file.parent.name))
    return None


def load(assembly):
    """The address of s2_get_api.

    Raises OSError where there is no runtime, or where it refuses the assembly.
    """
    path = find_hostfxr()
    if path is None:
        raise OSError("no .NET runtime: set DOTNET_ROOT, or install .NET 10 from https://dot.net/download")
    hostfxr = ctypes.CDLL(str(path))
    context, loader, function = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    config = Path(assembly).with_suffix(".runtimeconfig.json")
    status = hostfxr.hostfxr_initialize_for_runtime_config(_text(config), None, ctypes.byref(context))
    try:
        if status >= 0 and context:
            hostfxr.hostfxr_get_runtime_delegate.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
            status = hostfxr.hostfxr_get_runtime_delegate(
                context, LOAD_ASSEMBLY_AND_GET_FUNCTION_POINTER, ctypes.byref(loader))
        if status >= 0 and loader:
            load_function = ctypes.CFUNCTYPE(
                ctypes.c_int, _Text, _Text, _Text, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(loader.value)
            status = load_function(_text(assembly), _text(TYPE), _text(METHOD), UNMANAGED_CALLERS_ONLY, None,
                                   ctypes.addressof(function))
    finally:
        if context:
            hostfxr.hostfxr_close.argtypes = [ctypes.c_void_p]
            hostfxr.hostfxr_close(context)
    if not function:
        raise OSError(f"the .NET runtime refuses {assembly}: 0x{status & 0xFFFFFFFF:08x}")
    return function.value


def _version(name):
    numbers = name.split("-")[0].split(".")
    return tuple(int(n) if n.isdigit() else 0 for n in numbers), "-" not in name


def _text(value):
    return str(value) if _WINDOWS else os.fsencode(str(value))
