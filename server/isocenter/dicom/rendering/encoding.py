"""Pictures as JPEG, PNG, GIF, animated GIF and MP4 files. One picture is in memory at a time.

MP4 needs PyAV (`av`) or imageio-ffmpeg, which are no dependencies of ours: where neither is installed
there is no MP4.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any, BinaryIO

from PIL import GifImagePlugin, Image
from pydicom import Dataset

USUAL_QUALITY = 90
_USUAL_MILLISECONDS = 100.0
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}


def save(
    picture: Image.Image, media_type: str, quality: int | None, profile: bytes | None, path: str
) -> None:
    """Write one picture, as `image/jpeg`, `image/png` or `image/gif`."""
    options: dict[str, Any] = {}
    if media_type == "image/jpeg":
        chosen = quality or USUAL_QUALITY
        options = {"quality": chosen, "subsampling": 0 if chosen >= USUAL_QUALITY else 2}
    elif media_type == "image/png":
        options = {"compress_level": 4}
    elif picture.mode == "RGB":
        picture = picture.quantize(256)
    if profile and media_type != "image/gif":
        options["icc_profile"] = profile
    picture.save(path, _FORMATS[media_type], **options)


def milliseconds(data_set: Dataset, count: int) -> list[float]:
    """How long each frame is shown (PS3.3 C.7.6.5), 100 ms where nothing is told."""
    vector = data_set.get("FrameTimeVector")
    if vector is not None and not isinstance(vector, str | float | int) and len(vector) == count > 1:
        # Increments from the frame before: a frame stays until the next one's, the last like the one before.
        steps = [_number(part) for part in vector][1:]
        told = [*steps, steps[-1]]
    else:
        rate = _number(data_set.get("RecommendedDisplayFrameRate")) or _number(data_set.get("CineRate"))
        time = 1000.0 / rate if rate > 0 else _number(data_set.get("FrameTime"))
        told = [time] * count
    return [one if 10.0 <= one <= 60_000.0 else _USUAL_MILLISECONDS for one in told]


def write_gif(
    file: BinaryIO, pictures: Iterable[Image.Image], durations: list[float], *, first: bool
) -> None:
    """Write frames of an animated GIF that repeats for ever; with the head before the `first` of them.

    Each frame has colours of its own and nothing refers to another one: pieces that are made apart are
    joined, with `GIF_END` behind the last. (Pillow's own writer keeps all frames in memory.)
    """
    for picture, duration in zip(pictures, durations, strict=True):
        if first:
            file.write(b"GIF89a" + picture.width.to_bytes(2, "little") + picture.height.to_bytes(2, "little"))
            file.write(b"\xf7\0\0" + b"".join(bytes([n, n, n]) for n in range(256)))
            file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")
            first = False
        file.write(b"\x21\xf9\x04\0" + max(round(duration / 10), 1).to_bytes(2, "little") + b"\0\0")
        indexed = picture.quantize(256) if picture.mode == "RGB" else picture
        for piece in GifImagePlugin.getdata(indexed, include_color_table=picture.mode == "RGB"):
            file.write(piece)


def save_mp4(pictures: Iterable[Image.Image], durations: list[float], path: str) -> None:
    """Write an MP4 at the mean rate of the frames; see `view.can_encode_mp4`."""
    rate = max(round(1000.0 * len(durations) / sum(durations)), 1)
    even = (_even(picture) for picture in pictures)
    if find_spec("av") is not None:
        _save_by_av(even, rate, path)
    else:
        _save_by_ffmpeg(even, rate, path)


def _even(picture: Image.Image) -> Image.Image:
    """In RGB with even sides: chrominance is shared by two by two pixels."""
    picture = picture.convert("RGB")
    width, height = (side + side % 2 for side in picture.size)
    return picture if picture.size == (width, height) else picture.crop((0, 0, width, height))


def _save_by_av(pictures: Iterator[Image.Image], rate: int, path: str) -> None:
    import av

    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream: Any = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream("h264", rate=rate)
                stream.width, stream.height, stream.pix_fmt = *picture.size, "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))


def _save_by_ffmpeg(pictures: Iterator[Image.Image], rate: int, path: str) -> None:
    import imageio_ffmpeg

    first = next(pictures)
    writer = imageio_ffmpeg.write_frames(
        path,
        first.size,
        fps=rate,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-f", "mp4"],
    )
    writer.send(None)
    for picture in itertools.chain([first], pictures):
        writer.send(picture.tobytes())
    writer.close()


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
