"""Statements, as for timeit, and probes of them in a process of their own, where nobody else has to wait."""

import ast
import math
import multiprocessing
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from textwrap import dedent
from typing import Any

from gilfree.explore.probe import INTERVAL, SECONDS, Probe, check_callable, check_settings, measure, name_of

__all__ = ["StatementError", "check", "load", "probe_in_child"]

_FUNCTION = re.compile(r"[\w.]+:[\w.]+")


class StatementError(Exception):
    """What the child process says of a statement that failed: its traceback."""


def probe_in_child(
    target: str | Callable[..., object],
    setup: str = "pass",
    *,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    seconds: float = SECONDS,
    interval: float = INTERVAL,
    timeout: float = 60.0,
) -> Probe:
    """Probe in a fresh Python, so that no thread of this one has to wait, and a call that never returns is stopped.

    As with everything that ``multiprocessing`` spawns, a script that calls this needs ``if __name__ == "__main__":``.

    Parameters
    ----------
    target : str or callable
        A statement, as for ``timeit``; ``"package.module:function"``, called without arguments; or a callable that can
        be pickled, called with ``args`` and ``kwargs``. A statement that is one call of plain names is called
        directly; any other runs as bytecode around what it calls.
    setup : str
        Executed once before, and not probed.
    seconds, interval
        As for ``measure``.
    timeout : float
        Seconds after which the child is killed, setup included.

    Returns
    -------
    Probe
        "inconclusive" if the time was over.

    Raises
    ------
    StatementError
        If the setup or the target raises, or the child dies; its text is the traceback.
    SyntaxError, TypeError, ValueError
        If the statement cannot be compiled or a setting is out of bounds, before a child is started.
    """
    check_settings(seconds, interval)
    if not 0 < timeout < math.inf:
        raise ValueError(f"timeout: got {timeout}, expected a positive number of seconds")
    if isinstance(target, str):
        target = name = _plain(target)
        check(target, setup)
    else:
        check_callable(target)
        name = name_of(target)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    # Not a daemon: those may not have children, and who knows what the statement does.
    child = context.Process(target=_child, args=(theirs, name, target, setup, args, kwargs or {}, seconds, interval))
    try:
        with _no_interrupts():
            child.start()
        theirs.close()
        if not ours.poll(timeout):
            return _timed_out(name, timeout)
        kind, answer = ours.recv()
    except EOFError:
        child.join()
        raise StatementError(f"{name}: the child process ended with status {child.exitcode}") from None
    finally:
        if child.pid is not None:
            child.kill()  # before its pipe goes, of which it would complain
            child.join()
        ours.close()
    if kind == "error":
        raise StatementError(answer)
    return Probe.from_dict(answer)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Put Ctrl-C off, here and in a child that is started meanwhile, until that can take care of itself."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check(statement: str, setup: str = "pass") -> None:
    """Refuse what cannot be compiled, before anything is run.

    Raises
    ------
    SyntaxError
        If the setup or the statement is no Python.
    ValueError
        If the statement is empty.
    """
    statement = _plain(statement)
    if not statement:
        raise ValueError("statement: got an empty one, expected Python or package.module:function")
    ast.parse(setup, "<setup>")
    if not _FUNCTION.fullmatch(statement):
        ast.parse(statement, "<statement>")


def _plain(statement: str) -> str:
    """Without the white space around it, which would be an indentation to Python."""
    return dedent(statement).strip()


def _timed_out(name: str, timeout: float) -> Probe:
    return Probe(
        name=name,
        verdict="inconclusive",
        why=f"it had not returned after {timeout:g} s and was stopped",
        witnesses=0,
        runs=0,
        free_share=None,
        free_share_interval=None,
        speedup_bound=None,
        longest_hold=None,
        stalls={},
        switch_interval=sys.getswitchinterval(),
        waiting=None,
        call=None,
        loops=1,
        cpu=None,
        native_threads=None,
    )


def _child(
    connection: Connection,
    name: str,
    target: str | Callable[..., object],
    setup: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    seconds: float,
    interval: float,
) -> None:
    """Body of the child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then kills this
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a statement that prints would do so a hundred thousand times
    try:
        func: Callable[..., object]
        if isinstance(target, str):
            func, args, kwargs = load(target, setup)
        else:
            func = target
        found = measure(func, args, kwargs, name=name, seconds=seconds, interval=interval)
        connection.send(("probe", found.to_dict()))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        connection.send(("error", _traceback(error)))


def _traceback(error: BaseException) -> str:
    """The traceback without the frames that are ours."""
    ours = str(Path(__file__).parent)
    shown = traceback.TracebackException.from_exception(error)
    shown.stack = traceback.StackSummary.from_list(
        [frame for frame in shown.stack if not frame.filename.startswith(ours)]
    )
    return "".join(shown.format())


def load(statement: str, setup: str = "pass") -> tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]:
    """Run the setup, and make of the statement a function and its arguments.

    Parameters
    ----------
    statement, setup : str
        As for ``probe_in_child``.

    Returns
    -------
    func, args, kwargs
        What to call: the function itself, where the statement is one call of plain names or names a function; else
        ``exec`` and the compiled statement.

    Raises
    ------
    BaseException
        Whatever the setup raises, or looking up a name.
    """
    statement = _plain(statement)
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(setup, "<setup>", "exec"), scope)  # noqa: S102 - this is what the user asked for
    if _FUNCTION.fullmatch(statement):
        module, _, path = statement.partition(":")
        sys.path.insert(0, "")  # as python -m has it
        found: Any = import_module(module)
        for word in path.split("."):
            found = getattr(found, word)
        return found, (), {}
    tree = ast.parse(statement, "<statement>")
    body = tree.body[0] if len(tree.body) == 1 else None
    if isinstance(body, ast.Expr) and isinstance(body.value, ast.Call) and _is_plain(body.value):
        call = body.value

        def value(node: ast.expr) -> Any:
            return eval(compile(ast.Expression(node), "<statement>", "eval"), scope)  # noqa: S307 - as above

        keywords = {str(word.arg): value(word.value) for word in call.keywords}
        return value(call.func), tuple(map(value, call.args)), keywords
    return exec, (compile(tree, "<statement>", "exec"), scope), {}


def _is_plain(call: ast.Call) -> bool:
    """Whether the arguments can be looked up once and for all: names, attributes and constants."""
    return (
        all(_is_name(node) for node in (call.func, *call.args, *(word.value for word in call.keywords)))
        and None not in (word.arg for word in call.keywords)
    )  # fmt: skip


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant) or (isinstance(node, ast.Attribute) and _is_name(node.value))
