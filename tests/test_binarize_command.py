"""gilfree binarize: what it says, its exit status, and Ctrl-C."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import child
import numpy as np
import pytest

from gilfree import cli
from gilfree.pixels._binarize import METHODS

pytest.importorskip("PIL", reason="Pillow is not installed")
from PIL import Image

# Everything here looks at what is printed or changes the working folder.
pytestmark = pytest.mark.thread_unsafe


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with three pictures in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans" / "in").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for name in ("a.png", "b.png", "in/c.png"):
        Image.fromarray(rng.integers(0, 256, (20, 30), np.uint8)).save(tmp_path / "scans" / name)
    return tmp_path


def binarize(*words: str) -> int:
    return cli.main(["binarize", *words])


def found(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert binarize("scans", "-o", "out") == 0
    printed, said = capsys.readouterr()
    assert printed == ""
    assert "3 of 3 pictures\n3 written, in " in said
    assert "\x1b" not in said
    assert found(folder / "out") == ["a.png", "b.png", "in/c.png"]
    assert binarize("scans", "-o", "out") == 0
    assert "\n3 kept, in " in capsys.readouterr().err
    assert binarize("scans/a.png", "scans/b.png", "-o", "out", "--overwrite") == 0
    assert "\n2 written, in " in capsys.readouterr().err


def test_options_reach_the_function(folder: Path) -> None:
    words = ("--value", "128", "--invert", "--format", "tiff", "--before-after", "sheet.png", "--threads", "2")
    assert binarize("scans/a.png", "-o", "out", *words, "--backend", "python", "--quiet") == 0
    with Image.open("scans/a.png") as before, Image.open("out/a.tiff") as after:
        assert ((np.asarray(before) > 128) != np.asarray(after)).all()
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 500


def test_quiet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But for what failed."""
    assert binarize("scans", "-o", "out", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    Path("scans/bad.png").write_text("words")
    assert binarize("scans", "-o", "out", "--quiet") == 1
    name = Path("scans") / "bad.png"
    assert capsys.readouterr() == (
        "",
        f"gilfree: {name}: no PNG, JPEG, TIFF, WebP or BMP picture that Pillow can read\n",
    )


def test_failures_are_listed_at_the_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("0.png", "z.png"):
        (folder / "scans" / name).write_bytes(b"")
    assert binarize("scans", "-o", "out") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-3].startswith("3 written, 2 failed, in ")
    assert [line.split(":")[1].strip() for line in lines[-2:]] == [str(Path("scans") / n) for n in ("0.png", "z.png")]
    assert found(folder / "out") == ["a.png", "b.png", "in/c.png"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing", "-o", "out"], "missing: No such file or directory"),
        (["empty", "-o", "out"], "no pictures in empty"),
        (["scans", "-o", "scans"], "would be written over the source"),
        (["scans", "scans/a.png", "-o", "out"], ""),
        (["scans", "-o", "out", "--method", "magic"], "method: got 'magic', expected one of otsu"),
        (["scans", "-o", "out", "--threads", "0"], "threads: got 0, expected an integer from 1 to 1024"),
        (["scans", "-o", "out", "--backend", "magic"], "backend: got 'magic'"),
        (["scans", "-o", "out", "--before-after", "a.pdf"], "before_after: got 'a.pdf'"),
        (["scans", "-o", "out", "--set", "magic=3"], "magic"),
        (["scans", "-o", "out", "--set", "threads=3"], "--set: got threads, expected an option of the method"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_values_end_with_status_2(
    words: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    if not said:  # the same file twice is done once
        assert binarize(*words) == 0
        return
    before = found(folder)
    assert binarize(*words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert found(folder) == before


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["scans"],
        ["-o", "out"],
        ["scans", "-o", "out", "--format", "gif"],
        ["scans", "-o", "out", "--value", "high"],
        ["scans", "-o", "out", "--window-size", "1.5"],
        ["scans", "-o", "out", "--set", "k"],
        ["scans", "-o", "out", "--set", "=3"],
    ],
    ids=" ".join,
)
def test_bad_words_end_with_status_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        binarize(*words)
    assert end.value.code == 2
    assert "usage: gilfree binarize" in capsys.readouterr().err


def test_help_names_the_methods(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        binarize("--help")
    printed = " ".join(capsys.readouterr().out.split())
    for name in METHODS:
        assert name in printed


@pytest.mark.parametrize(
    ("text", "expected"),
    [("k=3", ("k", 3)), ("r=1e2", ("r", 100.0)), ("mode-of=a=b", ("mode_of", "a=b")), ("k=", ("k", ""))],
)
def test_options_of_methods(text: str, expected: tuple[str, object]) -> None:
    assert cli._option(text) == expected
    assert type(cli._option(text)[1]) is type(expected[1])


def test_options_of_methods_reach_the_function(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gilfree import pixels

    seen = {}

    def noted(*_: object, **how: object) -> list[object]:
        seen.update(how)
        return []

    monkeypatch.setattr(pixels, "binarize_files", noted)
    binarize("scans", "-o", "out", "--window-size", "25", "--k", "0.3", "--set", "r=100", "--set", "offset=-2")
    assert [seen[name] for name in ("window_size", "k", "r", "offset")] == [25, 0.3, 100, -2]


@pytest.mark.parametrize(("missing", "said"), [("PIL", "need Pillow"), ("rich", "needs rich")])
def test_without_what_it_needs(missing: str, said: str, folder: Path) -> None:
    """Rich only where there is a terminal to draw a bar on."""
    code = f"""
import sys
sys.modules["{missing}"] = None
sys.stderr.isatty = lambda: True
from gilfree import cli
sys.exit(cli.main(["binarize", "scans", "-o", "out"]))
"""
    done = child.python(code)
    assert done.returncode == 2
    assert said in done.stderr
    assert "pip install 'gilfree[images]'" in done.stderr
    assert not (folder / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_a_bar_on_a_terminal(folder: Path) -> None:
    pytest.importorskip("rich")
    import pty

    (folder / "scans" / "bad.png").write_bytes(b"")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gilfree", "binarize", "scans", "-o", "out", "--threads", "1"]
    environment = child.environment(TERM="xterm-256color", COLUMNS="100")
    with subprocess.Popen(command, env=environment, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux says so when the other end is closed
                break
            if not part:
                break
            seen += part
    os.close(ours)
    assert process.returncode == 1
    text = seen.decode()
    assert "4/4" in text
    assert "1 failed" in text
    assert "3 written, 1 failed, in " in text
    assert "bad.png: no PNG" in text.splitlines()[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send to another process there")
@pytest.mark.parametrize("threads", ["1", "3"])
def test_interrupted(threads: str, folder: Path) -> None:
    """It says how many were written; every file there is complete, and no other is left."""
    picture = Image.fromarray(np.random.default_rng(2).integers(0, 256, (700, 900), np.uint8))
    picture.save(folder / "scans" / "000.png", compress_level=1)
    for number in range(1, 100):
        shutil.copy(folder / "scans" / "000.png", folder / "scans" / f"{number:03}.png")
    # A shell starts what it puts into the background deaf to it, and all that this starts is deaf, too.
    code = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from gilfree import cli
sys.exit(cli.main(["binarize", "scans", "-o", "out", "--threads", sys.argv[1]]))
"""
    command = [sys.executable, "-c", code, threads]
    with subprocess.Popen(command, env=child.environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "11 of 103 pictures\n"
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    written = found(folder / "out")
    assert 11 <= len(written) < 103
    assert said.splitlines()[-1] == f"gilfree: interrupted, {len(written)} of 103 pictures were written, none by half"
    for name in written:
        assert name.endswith(".png")
        assert ".gilfree" not in name
        with Image.open(folder / "out" / name) as result:
            result.load()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to send to another process there")
def test_interrupted_before_it_began(folder: Path) -> None:
    code = """
import signal, sys
from gilfree import cli
from gilfree.pixels import _files
def stop(*_):
    raise KeyboardInterrupt
_files._jobs = stop
sys.exit(cli.main(["binarize", "scans", "-o", "out"]))
"""
    done = child.python(code)
    assert (done.returncode, done.stderr) == (130, "gilfree: interrupted, nothing was written\n")
