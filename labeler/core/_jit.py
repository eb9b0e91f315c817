"""The one way kernels are compiled: on their first call, and never while modules are imported.

Importing numba takes longer than everything else the window needs, and a window that only lists
cases needs no kernel. So :func:`kernel` leaves numba alone and returns a :class:`Kernel`, which
stands in for the compiled function:

- Its first call imports numba and makes the dispatcher (the object behind ``numba.njit``), which
  then loads compiled code from disk or compiles. All calls go through that dispatcher.
- Kernels call kernels of their module by name. What numba finds under that name is a ``Kernel``;
  it asks for ``_numba_type_``, its own way of asking an object how to treat it, and is told to
  treat it as the dispatcher.

So modules are written as if kernels were compiled when they are defined, and nobody has to import
anything later than usual. The price is one Python call per kernel call, a tenth of a microsecond.
:mod:`labeler.core.warm_up` calls every kernel once in the background as soon as the window is
shown, and the views show no slice before it is done: the window never waits for a compiler.

Every kernel is cached on disk, so that only the first start after an installation compiles, and
releases the GIL, so that background work never stalls the window. When the installation is
read-only numba puts the cache into the user's cache folder by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar, cast

import numpy.typing as npt

#: An array whose dtype the kernel takes as it comes; the caller sees to it.
Array = npt.NDArray[Any]

F = TypeVar("F", bound=Callable[..., Any])


class Kernel:
    """A function that is compiled when it is called for the first time (see the module).

    Parameters
    ----------
    function
        What is compiled; arrays and numbers in, arrays and numbers out.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._dispatcher: Any = None
        update_wrapper(self, function)

    def __call__(self, *args: Any) -> Any:
        return self.dispatcher(*args)

    @property
    def dispatcher(self) -> Any:
        """The function as numba has it; imports numba."""
        if self._dispatcher is None:
            # Two threads may both get here; both compile the same, and the last one is kept.
            self._dispatcher = _dispatcher(self.function)
        return self._dispatcher

    @property
    def _numba_type_(self) -> Any:
        return self.dispatcher._numba_type_


def kernel(function: F) -> F:
    """Compile a function of arrays and numbers on its first call.

    A kernel calls kernels of its own module only: numba notices changes of the file a kernel is
    in and would keep using compiled code with old versions of kernels from other files.
    """
    return cast(F, Kernel(function))


def frozen(array: Array) -> Array:
    """A read-only view, so that a kernel is compiled once and not for both kinds of arrays."""
    view = array.view()
    view.setflags(write=False)
    return view


def _dispatcher(function: Callable[..., Any]) -> Any:
    import numba

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # There is nowhere to write: neither beside the module nor in the user's cache folder.
        return numba.njit(**options)(function)
