"""Rules about the text of the code that no linter has: each takes a source, returns offences."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

MODULE_LINES = 400
CLASS_METHODS = 20
FUNCTION_LINES = 60

#: Words that promise instead of doing.
PROMISES = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")

#: Calls that stall the event loop or end a thread in the middle of its work.
FORBIDDEN_CALLS = {
    "processEvents": "runs handlers inside a handler",
    "terminate": "ends a thread or process wherever it is",
    "sleep": "waits for a time instead of an event",
}

#: What changes files, by the last part of its name and, where that is common, what stands before.
WRITING_CALLS = {
    "write_text", "write_bytes", "unlink", "rmdir", "rmtree", "mkstemp", "copyfile", "to_filename",
    "WriteImage", "os.replace", "os.rename", "os.remove", "shutil.move", "shutil.copy",
    "nib.save", "nibabel.save", "np.save", "json.dump", "tomlkit.dump",
}  # fmt: skip


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    """Yield (path from the project root, source) of the Python files in the given folders."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def too_large(source: str) -> list[str]:
    """Return what exceeds the sizes of a module, class or function, docstrings included."""
    offences = []
    lines = len(source.splitlines())
    if lines > MODULE_LINES:
        offences.append(f"module of {lines} lines")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES:
                offences.append(f"function {node.name} of {lines} lines")
        elif isinstance(node, ast.ClassDef):
            methods = _public_methods(node)
            if len(methods) > CLASS_METHODS:
                offences.append(f"class {node.name} of {len(methods)} public methods")
    return offences


def _public_methods(node: ast.ClassDef) -> set[str]:
    """Return the methods and properties a class offers.

    Qt's event handlers (``paintEvent``) are left out: they are protected, and public only
    because Qt spells them so.
    """
    return {
        item.name
        for item in node.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        and not item.name.startswith("_")
        and not item.name.endswith("Event")
    }


def promises(source: str) -> list[str]:
    """Return the lines with a word that promises work instead of doing it."""
    return [
        f"line {number}: {line.strip()}"
        for number, line in enumerate(source.splitlines(), 1)
        if PROMISES.search(line)
    ]


def bad_waiting(source: str) -> list[str]:
    """Return calls that wait, kill or re-enter, timers nobody owns, and QThread subclasses."""
    offences = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            if any(_name(base) == "QThread" for base in node.bases):
                offences.append(f"class {node.name} derives from QThread")
        elif isinstance(node, ast.Call):
            name = _name(node.func)
            if name in FORBIDDEN_CALLS:
                offences.append(f"line {node.lineno}: {name}() {FORBIDDEN_CALLS[name]}")
            elif name == "singleShot" and not _is_zero(node.args[0]):
                offences.append(f"line {node.lineno}: singleShot() outlives whoever asked for it")
    return offences


def writes(source: str) -> list[str]:
    """Return the calls that create, change or remove files."""
    offences = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        owner = _name(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        opens_to_write = name in ("open", "fdopen") and any(
            isinstance(mode, ast.Constant)
            and isinstance(mode.value, str)
            and re.fullmatch("[rwxabt+]*[wxa+][rwxabt+]*", mode.value)
            for mode in [*node.args, *(keyword.value for keyword in node.keywords)]
        )
        opens_to_write |= any(_name(part) == "O_CREAT" for part in ast.walk(node))
        if opens_to_write or name in WRITING_CALLS or f"{owner}.{name}" in WRITING_CALLS:
            offences.append(f"line {node.lineno}: {name}()")
    return offences


def _name(node: ast.AST) -> str:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0
