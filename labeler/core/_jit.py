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


def kernel(function: F) -> F:
    """Compile a function of arrays and numbers on its first call."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
