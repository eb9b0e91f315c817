"""The one way kernels are compiled.

Every kernel is cached on disk, so that only the first start after an installation compiles, and
releases the GIL, so that background work never stalls the window. When the installation is
read-only numba puts the cache into the user's cache folder by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy.typing as npt

#: An array whose dtype the kernel takes as it comes; the caller sees to it.
Array = npt.NDArray[Any]

F = TypeVar("F", bound=Callable[..., Any])


def frozen(array: Array) -> Array:
    """A read-only view, so that a kernel is compiled once and not for both kinds of arrays."""
    view = array.view()
    view.setflags(write=False)
    return view


def kernel(function: F) -> F:
    """Compile a function of arrays and numbers on its first call.

    A kernel calls kernels of its own module only: numba notices changes of the file a kernel is
    in and would keep using compiled code with old versions of kernels from other files.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return cast(F, numba.njit(cache=True, **options)(function))
    except RuntimeError:
        # There is nowhere to write: neither beside the module nor in the user's cache folder.
        return cast(F, numba.njit(**options)(function))
