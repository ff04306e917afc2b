"""What stands for the code of a user's function: its source, and that of all it uses."""

import ast
import hashlib
import inspect
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePath
from textwrap import dedent
from types import FunctionType, ModuleType
from typing import Any

from studies.display.errors import UsageError

OWN_FOLDER = Path(__file__).parents[2]
"""Where this program lies: what is a package there is the program's own, not a user's."""

_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def source_code(name: str, function: Any) -> str:
    """Return a hash of a function's source, of its file, and of all that this uses of its folder.

    Comments, docstrings and layout do not count, nor the statement that defines `experiment` with
    its grids. Libraries count by their names. Raises UsageError where the source does not show what
    the function does: for objects that are called, and values that are neither numbers nor words.
    """
    try:
        text = _Reader(function).text(function)
    except (OSError, TypeError, SyntaxError, IndexError):
        raise UsageError(
            f"what {name}'s function does cannot be read from its source: give a version=, and "
            "another one whenever it changes"
        ) from None
    return hashlib.sha256(text.encode()).hexdigest()


def module_file(root: Path, module: str) -> Path | None:
    """Return the file of a module below a folder, None where no module of a user lies there."""
    place = root.joinpath(*module.split("."))
    package = place / "__init__.py"
    if root == OWN_FOLDER and ("." in module or package.is_file()):
        return None
    return next((file for file in (package, place.with_suffix(".py")) if file.is_file()), None)


class _Reader:
    """Reads what a function rests on: every function and every file once."""

    def __init__(self, function: Any) -> None:
        while isinstance(function, partial):
            function = function.func
        function = inspect.unwrap(function)
        file = Path(inspect.getfile(function)).resolve()
        self.home: str = function.__module__
        # A notebook's cells are no files.
        self.root = file.parents[self.home.count(".")] if file.is_file() else Path.cwd()
        self.seen: set[object] = set()

    def text(self, value: Any) -> str:
        """Return a value as text that is the same in every process, else raise TypeError."""
        if value is None or isinstance(value, int | float | complex | str | bytes | PurePath):
            return repr(value)
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(self.text, value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{self.text(k)}: {self.text(v)}' for k, v in value.items())}}}"
        if isinstance(value, partial):
            return self.text([value.func, value.args, value.keywords])
        if isinstance(value, ModuleType):
            return "\n".join([value.__name__, *self._module(value.__name__)])
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if not isinstance(value, FunctionType | type) or not isinstance(module, str):
            raise TypeError
        if module != self.home:
            return "\n".join([f"{module}.{name}", *self._module(module)])
        if value in self.seen:
            return str(name)
        self.seen.add(value)
        if isinstance(value, type):
            methods = [part for part in vars(value).values() if isinstance(part, FunctionType)]
            return _text(ast.parse(dedent(inspect.getsource(value)))) + self.text(methods)
        return "\n".join(self._function(value))

    def _function(self, function: FunctionType) -> Iterator[str]:
        """Yield the code of a function, piece by piece, and the values that it carries."""
        module = ast.parse("".join(inspect.findsource(function)[0]))
        start = function.__code__.co_firstlineno
        # Several lambdas in one line cannot be told apart; a decorated function starts above.
        nodes = [
            node
            for node in ast.walk(module)
            if isinstance(node, _DEFINITIONS | ast.Lambda)
            and start in {node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))}
        ]
        if not nodes:
            raise OSError
        closure = function.__closure__ or ()
        carried = dict(zip(function.__code__.co_freevars, closure, strict=True))
        used = [*nodes, *(part for part in module.body if "experiment" not in _bound(part))]
        for node in used:
            yield _text(node)
            yield from self._imports(node, self.home)
        bound = {name for part in module.body for name in _bound(part)} | set(carried)
        for name in sorted(_loaded(nodes) & function.__globals__.keys() - bound):
            # Such as from another cell of a notebook.
            yield f"{name} = {self.text(function.__globals__[name])}"
        for name, cell in carried.items():
            yield f"{name} = {self.text(cell.cell_contents)}"
        yield self.text([function.__defaults__, function.__kwdefaults__])

    def _imports(self, code: ast.AST, package: str) -> Iterator[str]:
        """Yield the source of a user's modules that a piece of code imports."""
        for node in ast.walk(code):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._module(alias.name)
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: -node.level] if node.level else []
                base = [*above, *filter(None, [node.module])]
                for name in ([], *([alias.name] for alias in node.names)):
                    yield from self._module(".".join([*base, *name]))

    def _module(self, module: str) -> Iterator[str]:
        """Yield the source of a user's module and of those that it imports in turn."""
        file = module_file(self.root, module) if module not in ("", self.home) else None
        if file is not None and file not in self.seen:
            self.seen.add(file)
            code = ast.parse(file.read_text())
            yield _text(code)
            yield from self._imports(code, module + ".__init__" * (file.name == "__init__.py"))


def _loaded(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that pieces of code read."""
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}


def _bound(statement: ast.AST) -> set[str]:
    """Return the names that a statement of a file gives a value."""
    if isinstance(statement, _DEFINITIONS):
        return {statement.name}
    nodes = list(ast.walk(statement))
    names = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    aliases = {(n.asname or n.name).partition(".")[0] for n in nodes if isinstance(n, ast.alias)}
    return names | aliases | {n.name for n in nodes if isinstance(n, _DEFINITIONS)}


def _text(code: ast.AST) -> str:
    """Return a piece of code without comments, layout and docstrings."""
    for node in ast.walk(code):
        if isinstance(node, _DEFINITIONS | ast.Module) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.unparse(code)
