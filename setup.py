"""Build step: a wheel carries the two data folders inside the package.

``config/`` and ``resources/`` are top-level folders of the project. An editable install and a
bare checkout use them where they are; a wheel has nothing outside its packages, so the build
copies them to ``labeler/_bundled/``. ``labeler.storage.locations`` finds both.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DATA_FOLDERS = ("config", "resources")


class BuildWithData(build_py):
    """``build_py`` that also copies the data folders, except into an editable install."""

    def run(self) -> None:
        """Build the modules, then copy the data folders beside them."""
        super().run()
        if self.editable_mode:
            return
        for name in DATA_FOLDERS:
            target = Path(self.build_lib, "labeler", "_bundled", name)
            # build/ survives between builds; a file deleted from the project must not
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(name, target)


setup(cmdclass={"build_py": BuildWithData})
