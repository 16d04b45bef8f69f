"""Does a vLLM wheel have every name and argument that our engine uses? Read from its source alone.

vLLM's GPU build cannot be imported everywhere, and its wheel has hundreds of megabytes: only the few
modules that the engine imports from are read, by HTTP range requests.
"""

from __future__ import annotations

import ast
import io
import urllib.request
import zipfile
from pathlib import Path
from typing import get_args

from backend.engines.base import EngineOptions
from backend.engines.vllm import engine_arguments

ENGINE = Path(__file__).resolve().parent.parent / "backend" / "engines" / "vllm.py"
TIMEOUT_S = 120


def problems_with_vllm(wheel: str) -> list[str]:
    """What our engine uses and the vLLM in ``wheel`` lacks, a line each.

    Args:
        wheel: Address of the wheel, on a server that answers range requests.
    """
    with zipfile.ZipFile(io.BufferedReader(_RemoteFile(wheel), 1 << 16)) as archive:  # type: ignore[arg-type]
        source = Source(archive)
        problems = [
            f"{module} has no {name}" for module, name in names_imported(ENGINE) if name not in source.names(module)
        ]
        accepted = source.fields("vllm.engine.arg_utils", "AsyncEngineArgs")
        problems += [f"AsyncEngineArgs has no {one}" for one in sorted(arguments_built() - accepted)]
        accepted = source.fields("vllm.sampling_params", "SamplingParams")
        problems += [f"SamplingParams has no {one}" for one in sorted(sampling_set(ENGINE) - accepted)]
    return problems


class Source:
    """The modules of a wheel, parsed when they are asked for."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._files = frozenset(archive.namelist())

    def names(self, module: str) -> frozenset[str]:
        """What ``from module import …`` finds: what it defines, imports or gives on demand."""
        found = set()
        for node in ast.walk(self._tree(module)):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                    found.add(name)
                case ast.ImportFrom(names=names) | ast.Import(names=names):
                    found |= {one.asname or one.name for one in names}
                case ast.Name(id=name, ctx=ast.Store()):
                    found.add(name)
                case ast.Dict(keys=keys):  # vLLM's own package: a table of what is imported lazily
                    found |= {key.value for key in keys if isinstance(key, ast.Constant)}
        return frozenset(found)

    def fields(self, module: str, name: str) -> frozenset[str]:
        """The annotated fields of a class, those of its bases in the same module included."""
        classes = {one.name: one for one in self._tree(module).body if isinstance(one, ast.ClassDef)}
        found: set[str] = set()
        waiting = [name]
        while waiting:
            if (one := classes.get(waiting.pop())) is None:
                continue
            waiting += [base.id for base in one.bases if isinstance(base, ast.Name)]
            found |= {
                line.target.id
                for line in one.body
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
            }
        return frozenset(found)

    def _tree(self, module: str) -> ast.Module:
        path = module.replace(".", "/")
        for name in (f"{path}.py", f"{path}/__init__.py"):
            if name in self._files:
                return ast.parse(self._archive.read(name))
        return ast.Module(body=[], type_ignores=[])


def arguments_built() -> frozenset[str]:
    """Every keyword of ``AsyncEngineArgs`` that some options make our engine set."""
    found: set[str] = set()
    for options in each_option_changed():
        for on_cpu in (False, True):
            found |= engine_arguments("org/judge", options, on_cpu).keys()
    return frozenset(found)


def each_option_changed() -> list[EngineOptions]:
    """The default options, and each option in turn with another valid value than its default."""
    default = EngineOptions()
    found = [default]
    for name, declared in EngineOptions.model_fields.items():
        was = getattr(default, name)
        choices = [one for one in get_args(declared.annotation) if isinstance(one, str)]
        for value in (*choices, not was if isinstance(was, bool) else None, 4096, 1, 0.5, "x", ("x",)):
            try:
                changed = EngineOptions.model_validate({name: value}, strict=True)
            except ValueError:
                continue
            if getattr(changed, name) not in (was, None):
                found.append(changed)
                break
        else:
            raise AssertionError(f"{name}: say here what else this option can be")
    return found


def names_imported(path: Path) -> list[tuple[str, str]]:
    """Each name that a file imports from vLLM, with its module."""
    return [
        (node.module, one.name)
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "vllm"
        for one in node.names
        if node.module
    ]


def sampling_set(path: Path) -> frozenset[str]:
    """The keywords that our engine gives to ``SamplingParams``."""
    return frozenset(
        keyword.arg
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._sampling"
        for keyword in node.keywords
        if keyword.arg
    )


class _RemoteFile(io.RawIOBase):
    """A file on a web server, read by ranges."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._place = 0
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            self._size = int(answer.headers["Content-Length"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = start + offset
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._size - self._place)
        if wanted <= 0:
            return 0
        span = f"bytes={self._place}-{self._place + wanted - 1}"
        request = urllib.request.Request(self._url, headers={"Range": span})
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            if answer.status != 206:
                raise OSError(f"{self._url}: the server gives no ranges")
            data = answer.read()
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
