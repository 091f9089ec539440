"""Folders of pictures: what is read, what is written, what fails alone, and that nothing is left half-done."""

import errno
import io
import os
import struct
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import child
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gilfree
from gilfree import interpreter, pixels
from gilfree.pixels import _files
from gilfree.pixels._binarize import METHODS
from gilfree.pixels._files import FileResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytest.importorskip("PIL", reason="Pillow is not installed")
from PIL import Image, ImageDraw, features

RNG_SEED = 5
HAS = {name: bool(features.check(name)) for name in ("webp", "libtiff", "jpg", "zlib")}


def page(width: int = 40, height: int = 30, seed: int = RNG_SEED) -> "NDArray[np.uint8]":
    """Something like writing: dark on light, both uneven."""
    rng = np.random.default_rng(seed)
    light = rng.integers(150, 250, (height, width))
    dark = rng.integers(10, 90, (height, width))
    written: NDArray[np.uint8] = np.where(rng.random((height, width)) < 0.2, dark, light).astype(np.uint8)
    return written


def save(path: Path, picture: "Image.Image | None" = None, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (Image.fromarray(page()) if picture is None else picture).save(path, **how)
    return path


def read(path: Path) -> "NDArray[np.uint8]":
    """A result, as 0 and 255."""
    with Image.open(path) as picture:
        assert picture.mode == "1" or picture.format == "WEBP"
        return np.asarray(picture.convert("L"))


def one(source: Path, output: Path, method: str = "otsu", **how: Any) -> FileResult:
    (result,) = pixels.binarize_files(source, output, method, **how)
    return result


def everything(folder: Path) -> set[str]:
    """Every file in a folder and those in it, by its path below."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def link(path: Path, to: Path) -> None:
    try:
        path.symlink_to(to)
    except OSError:  # Windows asks for a privilege
        pytest.skip("no links may be made here")


def folder_of(folder: Path, count: int) -> Path:
    for number in range(count):
        save(folder / f"{number:03}.png", Image.fromarray(page(seed=number)))
    return folder


# --- what is read ----------------------------------------------------------------------------------------------------

GREY = page()
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], -1)
ALPHA = np.random.default_rng(1).integers(0, 256, GREY.shape, np.uint8)
WIDE = GREY.astype(np.uint16) * 257 - np.arange(40, dtype=np.uint16)


def as_palette() -> "Image.Image":
    picture = Image.fromarray(COLOUR).quantize(64)
    picture.info["transparency"] = 3
    return picture


def with_alpha(*channels: "NDArray[np.uint8]") -> "Image.Image":
    return Image.fromarray(np.stack([*channels, ALPHA], -1))


PICTURES: dict[str, tuple[str, Callable[[], "Image.Image"], Callable[["Image.Image"], Any]]] = {
    # name of the file, the picture, and what of the picture is binarized
    "L": ("a.png", lambda: Image.fromarray(GREY), np.asarray),
    "L-bmp": ("a.bmp", lambda: Image.fromarray(GREY), np.asarray),
    "L-jpeg": ("a.jpg", lambda: Image.fromarray(GREY), np.asarray),
    "1": ("a.png", lambda: Image.fromarray(GREY > 128), lambda picture: np.asarray(picture.convert("L"))),
    "LA": ("a.png", lambda: with_alpha(GREY), lambda picture: np.asarray(picture)[..., 0]),
    "P": ("a.png", as_palette, lambda picture: np.asarray(picture.convert("RGB"))),
    "RGB": ("a.png", lambda: Image.fromarray(COLOUR), np.asarray),
    "RGB-jpeg": ("a.JPEG", lambda: Image.fromarray(COLOUR), np.asarray),
    "RGB-webp": ("a.webp", lambda: Image.fromarray(COLOUR), np.asarray),
    "RGBA": ("a.png", lambda: with_alpha(*np.moveaxis(COLOUR, -1, 0)), np.asarray),
    "CMYK-jpeg": ("a.jpg", lambda: Image.fromarray(COLOUR).convert("CMYK"), lambda p: np.asarray(p.convert("RGB"))),
    "CMYK-tiff": ("a.tif", lambda: Image.fromarray(COLOUR).convert("CMYK"), lambda p: np.asarray(p.convert("RGB"))),
    "I;16-png": ("a.png", lambda: Image.fromarray(WIDE), lambda _: WIDE),
    "I;16-tiff": ("a.tiff", lambda: Image.fromarray(WIDE), lambda _: WIDE),
    "I-tiff": ("a.tiff", lambda: Image.fromarray(WIDE.astype(np.int32)), lambda _: WIDE),
    "F-tiff": ("a.tiff", lambda: Image.fromarray(GREY / np.float32(7)), lambda _: GREY / np.float32(7)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_every_kind(name: str, tmp_path: Path) -> None:
    """Binarized at their own depth; no transparency, palette or ink gets in the way."""
    file, make, expected = PICTURES[name]
    if file.endswith("webp") and not HAS["webp"]:
        pytest.skip("this Pillow has no WebP")
    source = save(tmp_path / file, make(), **({"lossless": True} if file.endswith("webp") else {}))
    with Image.open(source) as picture:
        seen = expected(picture)
    result = one(source, tmp_path / "out")
    assert (result.state, result.error) == ("written", None)
    assert result.target == tmp_path / "out" / "a.png"
    grey = seen if seen.ndim == 2 else pixels.grayscale(seen)
    wanted = np.where(grey > pixels.threshold_otsu(grey), 255, 0)
    assert (read(result.target) == wanted).all()
    assert 0 < wanted.mean() < 255


def test_sixteen_bits_big_endian(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        Image.frombytes("I;16B", (40, 30), WIDE.astype(">u2").tobytes()).save(source)
    result = one(source, tmp_path / "out")
    assert result.error is None
    assert (read(result.target) == np.where(pixels.threshold_otsu(WIDE) < WIDE, 255, 0)).all()


def test_a_threshold_at_sixteen_bits(tmp_path: Path) -> None:
    """Which eight bits could not tell apart."""
    levels = np.tile(np.array([30_000, 30_001], np.uint16), (4, 4))
    source = save(tmp_path / "a.png", Image.fromarray(levels))
    assert one(source, tmp_path / "out", value=30_000).error is None
    assert (read(tmp_path / "out" / "a.png") == np.tile([0, 255], (4, 4))).all()
    assert one(source, tmp_path / "inverted", value=30_000, invert=True).error is None
    assert (read(tmp_path / "inverted" / "a.png") == np.tile([255, 0], (4, 4))).all()


def test_integers_beyond_sixteen_bits_are_refused(tmp_path: Path) -> None:
    for name, last in (("big", 65536), ("negative", -1)):
        source = save(tmp_path / f"{name}.tif", Image.fromarray(np.array([[0, last]], np.int32)))
        assert "of integers, 0 to 65535 are taken" in str(one(source, tmp_path / "out").error)


def test_other_modes_are_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "a.tif", Image.new("LAB", (4, 4)))
    assert one(source, tmp_path / "out").error == "pictures of Pillow's mode LAB are not taken"


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_cameras_that_were_turned(suffix: str, orientation: int, tmp_path: Path) -> None:
    """The result stands upright, and so does its resolution."""
    if suffix == "webp" and not HAS["webp"]:
        pytest.skip("this Pillow has no WebP")
    picture = Image.new("L", (40, 30), 250)
    ImageDraw.Draw(picture).rectangle((0, 0, 20, 8), 5)
    turned = np.asarray(picture)
    upright = {
        1: turned,
        2: turned[:, ::-1],
        3: turned[::-1, ::-1],
        4: turned[::-1],
        5: turned.T,
        6: turned.T[:, ::-1],
        7: turned.T[::-1, ::-1],
        8: turned.T[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    how: dict[str, Any] = {"quality": 100} if suffix == "jpg" else {}
    if suffix == "webp":
        how["lossless"] = True
    if suffix != "webp":
        how["dpi"] = (300, 150)
    source = save(tmp_path / f"a.{suffix}", picture, exif=exif, **how)
    result = one(source, tmp_path / "out", value=128)
    assert result.error is None
    assert (read(result.target) == np.where(upright > 128, 255, 0)).all()
    with Image.open(result.target) as done:
        assert ("exif" in done.info, 0x0112 in done.getexif()) == (False, False)
        if suffix != "webp":
            expected = (300, 150) if orientation < 5 else (150, 300)
            assert tuple(round(dots) for dots in done.info["dpi"]) == expected


def test_the_first_page_of_several(tmp_path: Path) -> None:
    pages = [Image.fromarray(page(seed=number)) for number in (1, 2)]
    source = save(tmp_path / "a.tif", pages[0], save_all=True, append_images=pages[1:])
    one(source, tmp_path / "out", value=128)
    assert (read(tmp_path / "out" / "a.png") == np.where(page(seed=1) > 128, 255, 0)).all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method(method: str, tmp_path: Path) -> None:
    """None finds fault with the picture on which options are tried, and each gives what ``binarize`` gives."""
    colour = np.kron(COLOUR, np.ones((3, 3, 1), np.uint8))
    result = one(save(tmp_path / "a.png", Image.fromarray(colour)), tmp_path / "out", method)
    assert result.error is None
    assert (read(result.target) == pixels.binarize(colour, method, channel_axis=-1)).all()


# --- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["png", "tiff", "webp"])
def test_formats(format: str, tmp_path: Path) -> None:
    """Of one bit a pixel, without loss, and with the resolution of a scan."""
    if format == "webp" and not HAS["webp"]:
        pytest.skip("this Pillow has no WebP")
    source = save(tmp_path / "a.jpg", quality=100, dpi=(600, 300))
    result = one(source, tmp_path / "out", value=128, format=format)
    assert result.target == tmp_path / "out" / f"a.{format}"
    with Image.open(source) as picture, Image.open(result.target) as done:
        assert (read(result.target) == np.where(np.asarray(picture) > 128, 255, 0)).all()
        if format == "webp":
            exif = done.getexif()
            assert (exif[0x011A], exif[0x011B], exif[0x0128]) == (600, 300, 2)
        else:
            assert done.mode == "1"
            assert [round(dots) for dots in done.info["dpi"]] == [600, 300]
        if format == "tiff":
            assert done.info["compression"] == "group4"


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.sampled_from([None, (300.0, 1e-9)]))
def test_png_of_any_shape(width: int, height: int, seed: int, resolution: tuple[float, float] | None) -> None:
    """Pillow, which did not write it, reads it without a complaint."""
    expected = np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (height, width))
    file = _files._png(expected, resolution)
    with Image.open(io.BytesIO(file), formats=["PNG"]) as picture:
        picture.verify()
    with Image.open(io.BytesIO(file)) as picture:
        assert picture.mode == "1"
        assert (np.asarray(picture.convert("L")) == expected).all()
        assert ("dpi" in picture.info) == (resolution is not None)


@pytest.mark.parametrize("resolution", [None, (0, 0), (float("nan"), 300), (-1, 300), (1e9, 300), "many", (300,), 300])
def test_senseless_resolutions_are_left_out(resolution: Any) -> None:
    assert _files._sensible(resolution) is None


def test_opencv_reads_it(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    for format in ("png", "tiff"):
        result = one(save(tmp_path / "a.png"), tmp_path / "out", value=128, format=format)
        assert (cv2.imread(str(result.target), cv2.IMREAD_GRAYSCALE) == np.where(GREY > 128, 255, 0)).all()


def test_the_tree_is_kept(tmp_path: Path) -> None:
    for name in ("a.png", "b.JPG", "in/c.Tif", "in/d.e.bmp", "in/deep/f.jpeg", "in/deep/.hidden.png", ".git/g.png"):
        save(tmp_path / "from" / name)
    (tmp_path / "from" / "notes.txt").write_text("no picture")
    (tmp_path / "from" / "folder.png").mkdir()
    results = pixels.binarize_files([tmp_path / "from"], tmp_path / "new" / "to")
    assert everything(tmp_path / "new" / "to") == {"a.png", "b.png", "in/c.png", "in/d.e.png", "in/deep/f.png"}
    assert [result.source.relative_to(tmp_path / "from").as_posix() for result in results] == [
        "a.png", "b.JPG", "in/c.Tif", "in/d.e.bmp", "in/deep/f.jpeg",
    ]  # fmt: skip
    assert {result.target for result in results} == set((tmp_path / "new").rglob("*.png"))


def test_files_are_named_by_their_stem(tmp_path: Path) -> None:
    """Whatever they are called, if they are named one by one."""
    names = ("scan", "page.1", ".dot", "b.png", "two.dots.tif")
    files = [save(tmp_path / "from" / name, format="PNG") for name in names]
    results = pixels.binarize_files(iter(files), str(tmp_path / "to"))
    assert [result.target.name for result in results] == ["scan.png", "page.png", ".dot.png", "b.png", "two.dots.png"]
    assert all(result.error is None for result in results)


def test_a_source_named_twice_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert len(pixels.binarize_files(["a.png", tmp_path / "a.png", "./a.png"], "out")) == 1


def test_an_output_among_the_sources_is_not_searched(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    for again in (False, True):
        (result,) = pixels.binarize_files(tmp_path, tmp_path / "out", overwrite=again)
        assert result.state == "written"
    assert everything(tmp_path) == {"a.png", "out/a.png"}


def test_existing_results(tmp_path: Path) -> None:
    source, target = save(tmp_path / "a.png"), tmp_path / "out" / "a.png"
    target.parent.mkdir()
    target.write_text("mine")
    assert one(source, target.parent).state == "kept"
    assert target.read_text() == "mine"
    assert one(source, target.parent, overwrite=True).state == "written"
    assert read(target).shape == (30, 40)


def test_permissions_are_the_usual(tmp_path: Path) -> None:
    """Not the private ones of temporary files."""
    result = one(save(tmp_path / "a.png"), tmp_path / "out")
    (tmp_path / "plain").write_text("")
    assert result.target.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_nothing_to_do(tmp_path: Path) -> None:
    assert pixels.binarize_files(tmp_path, tmp_path / "out") == []
    assert pixels.binarize_files([], tmp_path / "out", before_after=tmp_path / "sheet.png") == []
    assert everything(tmp_path) == set()


def test_same_bytes_whatever_the_threads(tmp_path: Path, backend: str) -> None:
    folder_of(tmp_path / "from", 12)
    found = []
    for threads in (1, 2, 7):
        output = tmp_path / f"{threads}"
        results = pixels.binarize_files(tmp_path / "from", output, threads=threads, backend=backend)
        assert {result.state for result in results} == {"written"}
        assert [result.source.name for result in results] == sorted(result.source.name for result in results)
        found.append({path.name: path.read_bytes() for path in output.iterdir()})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 12


def test_an_executor_and_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads are the executor's; the backend is the one in force where the function was called."""
    folder_of(tmp_path / "from", 6)
    seen = set()
    binarize = pixels.binarize

    def noted(image: Any, *arguments: Any, **how: Any) -> Any:
        seen.add((threading.current_thread().name[:4], how["backend"], how["threads"]))
        return binarize(image, *arguments, **how)

    monkeypatch.setattr(_files, "binarize", noted)
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as pool, gilfree.use(backend="python"):
        pixels.binarize_files(tmp_path / "from", tmp_path / "out", executor=pool)
    assert seen - {(threading.current_thread().name[:4], "python", 1)} == {("mine", "python", 1)}
    assert len(everything(tmp_path / "out")) == 6


def test_progress_comes_from_the_caller(tmp_path: Path) -> None:
    folder_of(tmp_path / "from", 5)
    seen: list[tuple[int, int, FileResult]] = []
    threads = set()

    def progress(*call: Any) -> None:
        seen.append(call)
        threads.add(threading.current_thread())

    results = pixels.binarize_files(tmp_path / "from", tmp_path / "out", progress=progress, threads=3)
    assert [(done, total) for done, total, _ in seen] == [(n, 5) for n in range(1, 6)]
    assert {result.source for _, _, result in seen} == {result.source for result in results}
    assert threads == {threading.current_thread()}
    assert all(result.seconds > 0 for result in results)


# --- what fails alone ------------------------------------------------------------------------------------------------


def test_bad_files_stop_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "from"
    folder_of(folder, 3)
    picture = Image.fromarray(np.random.default_rng(2).integers(0, 256, (300, 300), np.uint8))
    for name in ("cut.png", "cut.jpg", "cut.tif", "cut.bmp"):
        path = save(folder / name.replace("cut", name[-3:] + "-cut"), picture)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("These are words.")
    (folder / "postscript.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    noise = bytearray(save(folder / "noise.png", picture).read_bytes())
    noise[60:4000] = np.random.default_rng(3).integers(0, 256, 3940, np.uint8).tobytes()
    (folder / "noise.png").write_bytes(noise)
    nan = np.full((3, 3), np.nan, np.float32)
    save(folder / "nan.tif", Image.fromarray(nan))
    link(folder / "nowhere.png", folder / "missing.png")
    results = {result.source.name: result for result in pixels.binarize_files(folder, tmp_path / "out", threads=2)}
    assert {name for name, result in results.items() if result.state == "written"} == {"000.png", "001.png", "002.png"}
    for name in set(results) - {"000.png", "001.png", "002.png"}:
        assert (results[name].state, bool(results[name].error)) == ("failed", True)
    for name in ("empty.png", "text.png", "postscript.png"):
        assert results[name].error == "no PNG, JPEG, TIFF, WebP or BMP picture that Pillow can read"
    assert "truncated" in str(results["jpg-cut.jpg"].error)
    assert results["nowhere.png"].error == "No such file or directory"
    assert everything(tmp_path / "out") == {"000.png", "001.png", "002.png"}


@pytest.mark.thread_unsafe(reason="changes a limit of Pillow's")
@pytest.mark.parametrize("most", [1199, 599])
def test_pictures_that_may_be_traps(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether Pillow would only warn of them, or raise."""
    source = save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        result = one(source, tmp_path / "out")
    assert result.state == "failed"
    assert "pixels" in str(result.error)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1200)
    assert one(source, tmp_path / "out").state == "written"


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a file: what was there is as it was, and nothing else is left."""
    folder_of(tmp_path / "from", 3)
    out = tmp_path / "out"
    out.mkdir()
    (out / "001.png").write_text("mine")
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).name != "002.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    results = pixels.binarize_files(tmp_path / "from", out, overwrite=True)
    assert [result.state for result in results] == ["failed", "failed", "written"]
    assert results[0].error == f"{os.strerror(errno.ENOSPC)}: {out / '000.png'}"
    assert everything(out) == {"001.png", "002.png"}
    assert (out / "001.png").read_text() == "mine"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o500)
    if os.access(out, os.W_OK):
        return  # whoever runs this may write everywhere; the next test is for them
    result = one(save(tmp_path / "a.png"), out)
    assert "Permission denied" in str(result.error)
    out.chmod(0o700)
    assert everything(out) == set()


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    """The same for those who may write everywhere."""
    save(tmp_path / "from" / "in" / "a.png")
    save(tmp_path / "from" / "b.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "in").write_text("in the way")
    results = pixels.binarize_files(tmp_path / "from", out)
    assert {result.source.name: result.state for result in results} == {"a.png": "failed", "b.png": "written"}


def test_a_source_behind_a_link_is_not_written_over(tmp_path: Path) -> None:
    real = save(tmp_path / "real" / "a.png")
    before = real.read_bytes()
    (tmp_path / "links").mkdir()
    link(tmp_path / "links" / "a.png", real)
    result = one(tmp_path / "links" / "a.png", tmp_path / "real", overwrite=True)
    assert result.error == "it would be written over itself"
    assert real.read_bytes() == before


# --- what is refused before any work ---------------------------------------------------------------------------------


def test_clashes(tmp_path: Path) -> None:
    a, b = save(tmp_path / "1" / "a.png"), save(tmp_path / "2" / "a.jpg")
    for sources in ([a, b], [tmp_path / "1", tmp_path / "2"], [tmp_path / "1", b]):
        with pytest.raises(ValueError, match="would both be written to") as refused:
            pixels.binarize_files(sources, tmp_path / "out")
        assert repr(str(a)) in str(refused.value)
        assert repr(str(b)) in str(refused.value)
    assert not (tmp_path / "out").exists()
    assert len(pixels.binarize_files(tmp_path, tmp_path / "out")) == 2  # in folders of their own they do not clash


def test_sources_are_not_written_over(tmp_path: Path) -> None:
    a = save(tmp_path / "a.png")
    before = a.read_bytes()
    for sources in (a, tmp_path):
        with pytest.raises(ValueError, match=r"output: .*a\.png' would be written over the source .*a\.png"):
            pixels.binarize_files(sources, tmp_path, overwrite=True)
    # One that lies where another's result would go.
    other = save(tmp_path / "from" / "sub" / "b.jpg")
    below = save(tmp_path / "sub" / "b.png")
    with pytest.raises(ValueError, match=r"b\.jpg' would be written over the source .*b\.png"):
        pixels.binarize_files([tmp_path / "from", below], tmp_path, overwrite=True)
    assert a.read_bytes() == before
    assert other.exists()
    assert one(a, tmp_path, format="tiff").target == tmp_path / "a.tiff"  # beside it is fine


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"sources": 3}, TypeError, "sources: got int, expected a path or an iterable of paths"),
        ({"sources": b"a.png"}, TypeError, "sources: got bytes"),
        ({"sources": ["a.png", 3]}, TypeError, "sources: got int, expected a path"),
        ({"sources": ""}, ValueError, "sources: got an empty path"),
        ({"sources": "missing.png"}, FileNotFoundError, "missing.png"),
        ({"sources": ["a.png", "missing"]}, FileNotFoundError, "missing"),
        ({"sources": os.devnull}, ValueError, "expected files and folders"),
        ({"output": 3}, TypeError, "output: got int, expected a path"),
        ({"output": "a.png"}, NotADirectoryError, "a.png"),
        ({"output": "a.png/in"}, OSError, "a.png"),
        ({"method": "no such"}, ValueError, "method: got 'no such', expected one of otsu"),
        ({"value": float("nan")}, ValueError, "value: got NaN"),
        ({"value": "high"}, TypeError, "value: got str"),
        ({"format": "gif"}, ValueError, "format: got 'gif', expected one of png, tiff, webp"),
        ({"format": 3}, TypeError, "format: got int"),
        ({"overwrite": 1}, TypeError, "overwrite: got int, expected a bool"),
        ({"progress": 3}, TypeError, "progress: got int, expected a callable"),
        ({"before_after": "sheet.pdf"}, ValueError, "before_after: got 'sheet.pdf', expected a name that ends in .png"),
        ({"before_after": "no/sheet.png"}, FileNotFoundError, "no"),
        ({"before_after": "a.png"}, FileExistsError, "a.png"),
        ({"before_after": "a.png", "overwrite": True}, ValueError, "before_after: got 'a.png', which is a source"),
        ({"before_after": "out/a.png"}, FileNotFoundError, "out"),
        ({"before_after": "b/a.png", "output": "b"}, ValueError, "which is a picture's own target"),
        ({"backend": "no such"}, ValueError, "backend: got 'no such'"),
        ({"threads": 0}, ValueError, "threads: got 0"),
        ({"executor": 3}, TypeError, r"executor: got int \(no executor\)"),
        ({"no_such_option": 3}, TypeError, "no_such_option"),
    ],
    ids=repr,
)
def test_bad_arguments(
    arguments: dict[str, Any], error: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("a.png"))
    Path("b").mkdir()
    monkeypatch.setattr(_files, "_run", lambda *_: pytest.fail("began to work"))
    given_ones: dict[str, Any] = {"sources": "a.png", "output": "out", **arguments}
    with pytest.raises(error, match=said):
        pixels.binarize_files(**given_ones)
    assert everything(tmp_path) == {"a.png"}
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said at once: its pictures would be missing and nobody would notice."""
    save(tmp_path / "from" / "closed" / "a.png")
    scandir = os.scandir

    def closed(path: Any) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(PermissionError, match="closed"):
        pixels.binarize_files(tmp_path / "from", tmp_path / "out")


def test_without_pillow() -> None:
    code = """
import sys
sys.modules["PIL"] = None
import gilfree
try:
    gilfree.pixels.binarize_files("a.png", "out")
except ModuleNotFoundError as error:
    print(error)
"""
    assert child.output(code) == "picture files need Pillow: pip install 'gilfree[images]'"


# --- interruption, memory, the GIL -----------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
def test_interrupted(threads: int, tmp_path: Path) -> None:
    """No temporary files afterwards, and every file that is there is complete."""
    folder_of(tmp_path / "from", 40)

    def progress(done: int, total: int, result: FileResult) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        pixels.binarize_files(tmp_path / "from", tmp_path / "out", progress=progress, threads=threads)
    left = everything(tmp_path / "out")
    assert 5 <= len(left) < 5 + 2 * threads + 2
    assert stopped.value.__notes__ == [f"{len(left)} of 40 pictures were written, none by half"]
    for name in left:
        assert read(tmp_path / "out" / name).shape == (30, 40)
    # What is missing can be done afterwards.
    states = [result.state for result in pixels.binarize_files(tmp_path / "from", tmp_path / "out")]
    assert (states.count("kept"), states.count("written")) == (len(left), 40 - len(left))


def test_an_error_of_progress_ends_it(tmp_path: Path) -> None:
    """It is the caller's own: the call ends as if interrupted."""
    folder_of(tmp_path / "from", 20)
    with pytest.raises(ZeroDivisionError):
        pixels.binarize_files(tmp_path / "from", tmp_path / "out", progress=lambda *_: 1 // 0, threads=2)
    left = everything(tmp_path / "out")
    assert 1 <= len(left) < 8
    assert not any(name.startswith(".") for name in left)


@pytest.mark.parametrize("place", ["open", "write", "replace"])
def test_interrupted_while_it_writes(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the thread that does the work."""
    source = save(tmp_path / "a.png")

    def stop(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    if place == "replace":
        monkeypatch.setattr(Path, "replace", stop)
    else:
        opened = Path.open

        def half(self: Path, *mode: Any) -> Any:
            stream: Any = opened(self, *mode)
            if mode != ("xb",):
                return stream
            if place == "open":
                stream.close()
                stop()
            stream.write(b"half")
            stream.close()
            raise KeyboardInterrupt

        monkeypatch.setattr(Path, "open", half)
    with pytest.raises(KeyboardInterrupt):
        one(source, tmp_path / "out", threads=1)
    assert everything(tmp_path) == {"a.png"}


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_pictures_in_memory(threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than threads, however many there are and however slow their reader is."""
    folder_of(tmp_path / "from", 30)
    lock, alive, most = threading.Lock(), 0, 0
    read_one, write_one = _files._read, _files._write

    def slow_read(source: str) -> Any:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        time.sleep(0.002)
        return read_one(source)

    def counted_write(file: bytes, target: Path) -> None:
        nonlocal alive
        write_one(file, target)
        with lock:
            alive -= 1

    monkeypatch.setattr(_files, "_read", slow_read)
    monkeypatch.setattr(_files, "_write", counted_write)
    slow: Any = lambda *_: time.sleep(0.002)  # noqa: E731 - a reader of progress that is slow, too
    pixels.binarize_files(tmp_path / "from", tmp_path / "out", threads=threads, progress=slow)
    assert alive == 0
    assert most <= threads
    assert threads == 1 or most > 1


GIL = interpreter.gil_enabled()


@pytest.mark.thread_unsafe(reason="changes the switch interval")
@pytest.mark.skipif(not GIL, reason="this Python has no GIL to hold")
@pytest.mark.parametrize("step", ["png", "jpg", "tif", "webp", "bmp", "binarize", "pack"])
def test_each_step_lets_go_of_the_gil(step: str, tmp_path: Path) -> None:
    """Pillow's decoders, our kernels, zlib: that is why the steps of several pictures overlap."""
    if step == "webp" and not HAS["webp"]:
        pytest.skip("this Pillow has no WebP")
    colour = np.random.default_rng(4).integers(0, 256, (600, 800, 3), np.uint8)
    grey = colour[..., 0]
    if step == "binarize":
        gilfree.assert_releases_gil(pixels.binarize, colour, channel_axis=-1, threads=1)
    elif step == "pack":
        gilfree.assert_releases_gil(_files._png, np.where(grey > 99, np.uint8(255), np.uint8(0)), None)
    else:
        how: dict[str, Any] = {"compression": "tiff_lzw"} if step == "tif" else {}
        path = save(tmp_path / f"a.{step}", Image.fromarray(colour), **how)
        _files._load_pillow()
        gilfree.assert_releases_gil(_files._read, str(path))


# --- the sheet -------------------------------------------------------------------------------------------------------


def test_the_sheet(tmp_path: Path) -> None:
    """Pairs of the first pictures; a bounded number of them, and of failures their reason."""
    folder_of(tmp_path / "from", 30)
    (tmp_path / "from" / "001.png").write_text("no picture")
    sheet = tmp_path / "sheet.png"
    for again in (False, True):
        results = pixels.binarize_files(tmp_path / "from", tmp_path / "out", before_after=sheet, overwrite=again)
        assert len(results) == 30
    with Image.open(sheet) as few:
        size = few.size
        colours = few.convert("RGB").getcolors(10**6)
        assert colours is not None
        assert len(colours) > 50
    folder_of(tmp_path / "more", 24)
    pixels.binarize_files(tmp_path / "more", tmp_path / "out2", before_after=tmp_path / "s.jpg")
    with Image.open(tmp_path / "s.jpg") as many:
        assert many.size == size


@pytest.mark.parametrize("name", PICTURES)
def test_thumbnails_of_every_kind(name: str, tmp_path: Path) -> None:
    small = _files._small(PICTURES[name][1]())
    assert small.mode in ("L", "RGB")
    assert small.size == (40, 30)


def test_a_sheet_of_results_that_were_kept(tmp_path: Path) -> None:
    source = save(tmp_path / "a.png")
    one(source, tmp_path / "out")
    assert one(source, tmp_path / "out", before_after=tmp_path / "sheet.png").state == "kept"
    assert (tmp_path / "sheet.png").exists()


def test_a_sheet_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loses no result."""
    write = _files._write

    def full(file: bytes, target: Path) -> None:
        if target.name == "sheet.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, target)

    monkeypatch.setattr(_files, "_write", full)
    results = pixels.binarize_files(save(tmp_path / "a.png"), tmp_path / "out", before_after=tmp_path / "sheet.png")
    assert [(result.state, result.target.name) for result in results] == [("written", "a.png"), ("failed", "sheet.png")]
    assert results[1].error == os.strerror(errno.ENOSPC)


def test_long_names_are_cut_in_the_middle(tmp_path: Path) -> None:
    source = save(tmp_path / ("long " * 30 + "name.png"))
    assert one(source, tmp_path / "out", before_after=tmp_path / "sheet.png").state == "written"


def test_chunks_are_what_the_standard_says() -> None:
    """Signature, then IHDR first and IEND last."""
    file = _files._png(np.zeros((2, 9), np.uint8), None)
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I4s2I5B", file[8:29]) == (13, b"IHDR", 9, 2, 1, 0, 0, 0, 0)
    assert file.endswith(b"IEND\xaeB`\x82")
