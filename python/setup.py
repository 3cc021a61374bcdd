"""A wheel with the library compiled ahead of time is for one platform, one with the .NET assemblies for all."""

from pathlib import Path

from setuptools import setup
from setuptools.dist import Distribution

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before setuptools 70.1
    from wheel.bdist_wheel import bdist_wheel

HAS_NATIVE = any((Path(__file__).parent / "s2ilgpu" / "native").glob("S2ILGPU.Native.*"))


class PlatformDistribution(Distribution):
    """A distribution that may hold a native library."""

    def has_ext_modules(self):
        return HAS_NATIVE


class AnyPython(bdist_wheel):
    """ctypes: every version of Python loads the same library."""

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


setup(distclass=PlatformDistribution, cmdclass={"bdist_wheel": AnyPython})
