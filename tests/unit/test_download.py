"""Downloads from a server of the test's own: checked, resumed, cancelled, refused, and never half done."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import pickle
import re
import shutil
import socket
import struct
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets

from resnet_viz.core.errors import Cancelled, DataError, OutputError
from resnet_viz.core.token import CancelToken
from resnet_viz.data import download as module
from resnet_viz.data import places, transfer
from resnet_viz.data.datasets import load
from resnet_viz.data.download import download, downloadable, installed, offer
from resnet_viz.data.transfer import RemoteFile, fetch

RNG = np.random.default_rng(9)


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files`` by path; ``faults`` say what goes wrong with the next answers."""

    daemon_threads = True
    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.cut_after: list[int] = []  # bytes after which each of the next answers breaks off
        self.ranges = True

    def url(self, name: str = "") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, wanted = self.path.lstrip("/"), self.headers.get("Range", "")
        self.server.asked.append((name, wanted))
        body = self.server.files.get(name)
        if body is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.server.ranges else 0
        if start and start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        self.wfile.write(rest[: self.server.cut_after.pop(0)] if self.server.cut_after else rest)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # neither the development data nor the working folder may stand in for what was downloaded
    monkeypatch.setattr(places, "assets_dir", lambda: tmp_path / "checkout" / "assets")
    monkeypatch.delenv("RESNET_VIZ_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def remote(server: Server, data: bytes, name: str = "a.bin") -> RemoteFile:
    server.files[name] = data
    return RemoteFile(name, (server.url(name),), md5(data))


def noise(count: int) -> bytes:
    return RNG.integers(0, 256, count).astype(np.uint8).tobytes()


# ---- one file ----


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    data = noise(300_000)
    file, seen = remote(server, data), []
    path = fetch(file, tmp_path / "new", progress=seen.append)
    assert path.read_bytes() == data and os.listdir(tmp_path / "new") == ["a.bin"]
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) >= 4
    fetch(file, tmp_path / "new")
    assert len(server.asked) == 1
    path.write_bytes(data[:-1])  # damaged since
    assert fetch(file, tmp_path / "new").read_bytes() == data


def test_it_goes_on_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    data = noise(300_000)
    server.cut_after = [100_000, 50_000]
    assert fetch(remote(server, data), tmp_path).read_bytes() == data
    assert server.asked == [("a.bin", ""), ("a.bin", "bytes=100000-"), ("a.bin", "bytes=150000-")]


def test_a_later_call_goes_on_too(server: Server, tmp_path: Path) -> None:
    data = noise(300_000)
    file = remote(server, data)
    server.cut_after = [70_000, 0]
    with pytest.raises(DataError, match=r"broke off at 0.1 of 0.3 MB"):
        fetch(file, tmp_path)
    assert os.listdir(tmp_path) == ["a.bin.part"]
    seen: list[float] = []
    assert fetch(file, tmp_path, progress=seen.append).read_bytes() == data
    assert server.asked[-1] == ("a.bin", "bytes=70000-") and seen[0] > 70 / 300
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("left", ["other", "whole", "too long"])
def test_what_was_left_may_be_anything(server: Server, tmp_path: Path, left: str) -> None:
    data = noise(100_000)
    rest = {"other": noise(500), "whole": data, "too long": data + b"x"}[left]
    (tmp_path / "a.bin.part").write_bytes(rest)
    assert fetch(remote(server, data), tmp_path).read_bytes() == data
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_server_that_knows_no_ranges(server: Server, tmp_path: Path) -> None:
    data = noise(200_000)
    server.ranges = False
    server.cut_after = [100_000]
    seen: list[float] = []
    assert fetch(remote(server, data), tmp_path, progress=seen.append).read_bytes() == data
    assert len(server.asked) == 2 and seen == sorted(seen)  # from the start again, but no bar goes back


def test_another_file_than_the_known_one(server: Server, tmp_path: Path) -> None:
    file = remote(server, noise(1000))
    server.files["a.bin"] = b"<html>Please log in</html>"
    with pytest.raises(DataError, match="its checksum differs"):
        fetch(file, tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_next_address_is_tried(server: Server, tmp_path: Path) -> None:
    data = noise(1000)
    server.files["there"] = data
    file = RemoteFile("a.bin", (server.url("absent"), server.url("there")), md5(data))
    assert fetch(file, tmp_path).read_bytes() == data
    with pytest.raises(DataError, match="the server answers 404"):
        fetch(RemoteFile("b.bin", (server.url("absent"),), ""), tmp_path)


def test_a_silent_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        with pytest.raises(DataError, match="no answer in time"):
            fetch(RemoteFile("a", (url,), ""), tmp_path, timeout_s=0.2)


def test_too_large_and_too_little_space(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = remote(server, noise(5000))
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 6, 4))  # type: ignore[attr-defined]
    with pytest.raises(OutputError, match="MB left, the download needs"):
        fetch(file, tmp_path)
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transfer, "MAX_BYTES", 4999)
    with pytest.raises(DataError, match="it has more than"):
        fetch(file, tmp_path)


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        fetch(remote(server, b"x"), tmp_path / "file" / "below")


def test_a_full_disk_is_not_taken_for_the_network(server: Server, tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"a\.bin.* cannot be written"):
        fetch(remote(server, noise(100_000)), tmp_path)


# ---- whole data sets ----


def cifar_archive(extra: tuple[tarfile.TarInfo, ...] = (), leave: str = "") -> tuple[bytes, dict[str, bytes]]:
    files = {}
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        rows = RNG.integers(0, 256, (20, 3072)).astype(np.uint8)
        files[name] = pickle.dumps({b"data": rows, b"labels": [n % 10 for n in range(20)]}, protocol=2)
    files["batches.meta"] = pickle.dumps({b"label_names": [b"x"]}, protocol=2)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info in extra:
            tar.addfile(info, io.BytesIO(b"evil") if info.size else None)
        for name, content in files.items():
            if name != leave:
                info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue(), files


def serve_cifar(server: Server, monkeypatch: pytest.MonkeyPatch, archive: bytes, files: dict[str, bytes]) -> None:
    source = torchvision.datasets.CIFAR10
    server.files["c.tar.gz"] = archive
    sums = {name: md5(content) for name, content in files.items()}
    monkeypatch.setattr(source, "url", server.url("c.tar.gz"))
    monkeypatch.setattr(source, "tgz_md5", md5(archive))
    monkeypatch.setattr(source, "train_list", [[f"data_batch_{n}", sums[f"data_batch_{n}"]] for n in range(1, 6)])
    monkeypatch.setattr(source, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(source, "meta", {"filename": "batches.meta", "md5": sums["batches.meta"]})


def idx(array: np.ndarray[Any, Any]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def serve_idx(server: Server, monkeypatch: pytest.MonkeyPatch, source: Any) -> None:
    resources = []
    for (name, _), shape in zip(source.resources, ((30, 28, 28), (30,), (20, 28, 28), (20,)), strict=True):
        array = (np.arange(np.prod(shape)) % 10).astype(np.uint8).reshape(shape)
        server.files[f"fm/{name}"] = gzip.compress(idx(array))
        resources.append((name, md5(server.files[f"fm/{name}"])))
    monkeypatch.setattr(source, "resources", resources)
    monkeypatch.setattr(source, "mirrors", [server.url("dead/"), server.url("fm/")])


def test_cifar_is_downloaded_once_and_loads_by_its_id(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_cifar(server, monkeypatch, *cifar_archive())
    assert installed("cifar10") is None and server.asked == []  # looking asks nobody
    seen: list[float] = []
    folder = download("cifar10", progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert folder == places.own_root() / "cifar10" == installed("cifar10")
    assert os.listdir(places.own_root()) == ["cifar10"] and os.listdir(folder) == ["cifar-10-batches-py"]
    assert len(load("cifar10", "train", size=None).labels) == 100 and len(load("cifar10", size=None).labels) == 20
    assert download("cifar10") == folder and len(server.asked) == 1


@pytest.mark.parametrize("name", ["fashionmnist", "mnist"])
def test_idx_sets(server: Server, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    serve_idx(
        server,
        monkeypatch,
        {"fashionmnist": torchvision.datasets.FashionMNIST, "mnist": torchvision.datasets.MNIST}[name],
    )
    seen: list[float] = []
    download(name, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0
    assert len(load(name, "train", size=None).labels) == 30 and load(name, size=32).images.shape == (20, 32, 32, 3)
    assert os.listdir(places.own_root()) == [name]


def test_a_set_that_is_there_is_used_wherever_it_is(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive, files = cifar_archive()
    serve_cifar(server, monkeypatch, archive, files)
    own = tmp_path / "mine" / "cifar-10-batches-py"
    own.mkdir(parents=True)
    for name, content in files.items():
        (own / name).write_bytes(content)
    monkeypatch.setenv("RESNET_VIZ_DATA", str(tmp_path / "mine"))
    assert download("cifar10") == own and server.asked == []
    # another root was asked for
    assert download("cifar10", root=tmp_path / "other") == tmp_path / "other" / "cifar10"
    assert download("cifar10", root=tmp_path / "other") and len(server.asked) == 1


def test_an_incomplete_folder_is_completed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    serve_cifar(server, monkeypatch, *cifar_archive())
    folder = download("cifar10")
    (folder / "cifar-10-batches-py" / "data_batch_4").unlink()
    (folder / "notes.txt").write_text("mine")
    assert installed("cifar10") is None
    download("cifar10")
    assert installed("cifar10") == folder and (folder / "notes.txt").read_text() == "mine"


def test_cancelled_downloads_leave_no_data_set_and_go_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, files = cifar_archive()
    serve_cifar(server, monkeypatch, archive, files)
    token = CancelToken()

    def stop(share: float) -> None:
        if share > 0.3:
            token.cancel()

    with pytest.raises(Cancelled):
        download("cifar10", token=token, progress=stop)
    assert os.listdir(places.own_root()) == [".cifar10.download"]
    assert installed("cifar10") is None
    with pytest.raises(DataError, match="not on this machine"):
        load("cifar10", size=None)
    download("cifar10")
    assert server.asked[-1][1].startswith("bytes=")


def test_cancelling_at_any_moment_is_harmless(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(CancelToken):
        def __init__(self, checks: int) -> None:
            super().__init__()
            self.left = checks

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise Cancelled

    serve_cifar(server, monkeypatch, *cifar_archive())
    for checks in range(1000):
        try:
            download("cifar10", token=Late(checks))
        except Cancelled:
            assert installed("cifar10") is None
            continue
        break
    assert 5 < checks < 999 and installed("cifar10") is not None


def test_no_network(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", f"http://127.0.0.1:{port}/c.tar.gz")
    with pytest.raises(DataError) as caught:
        download("cifar10")
    message = str(caught.value)
    folder = places.own_root() / "cifar10"
    assert re.match(r"cifar-10-python\.tar\.gz could not be downloaded \(.+\)\. Check the connection", message)
    assert message.endswith(f"or unpack cifar-10-python.tar.gz, got elsewhere, into {folder}.") and not folder.exists()
    # the advice holds
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(cifar_archive()[0])) as tar:
        tar.extractall(folder, filter="data")
    assert download("cifar10") == folder and len(load("cifar10", size=None).labels) == 20


def test_what_was_fetched_before_is_not_fetched_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, files = cifar_archive()
    serve_cifar(server, monkeypatch, archive, files)
    staging = places.own_root() / ".cifar10.download"  # as if it had been ended before unpacking
    staging.mkdir(parents=True)
    (staging / "cifar-10-python.tar.gz").write_bytes(archive)
    download("cifar10")
    assert server.asked == [] and installed("cifar10") is not None


def hostile(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = 4 if kind == tarfile.REGTYPE else 0
    return info


def test_an_archive_writes_nothing_but_what_is_expected(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    extra = (
        hostile("../../evil"),
        hostile(str(outside)),
        hostile("cifar-10-batches-py", tarfile.SYMTYPE, str(tmp_path)),
        hostile("cifar-10-batches-py/test_batch", tarfile.SYMTYPE, str(outside)),
        hostile("cifar-10-batches-py/data_batch_1", tarfile.LNKTYPE, "../../evil"),
        hostile("cifar-10-batches-py/readme.html"),
        hostile("cifar-10-batches-py/pipe", tarfile.FIFOTYPE),
    )
    serve_cifar(server, monkeypatch, *cifar_archive(extra))
    before = set(tmp_path.rglob("*"))
    folder = download("cifar10")
    assert set(tmp_path.rglob("*")) == before  # the user's folder lies elsewhere
    inside = [path for path in folder.rglob("*") if path.is_file()]
    assert len(inside) == 7 and not any(path.is_symlink() for path in folder.rglob("*"))
    assert not (places.own_root() / "evil").exists() and not outside.exists()


@pytest.mark.parametrize("fault", ["lacks", "is damaged", "cannot be unpacked"])
def test_an_archive_that_is_not_what_it_should_be(server: Server, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    archive, files = cifar_archive(leave="test_batch" if fault == "lacks" else "")
    if fault == "is damaged":
        files["data_batch_2"] += b"x"
    if fault == "cannot be unpacked":
        archive = archive[: len(archive) // 2]
    serve_cifar(server, monkeypatch, archive, files)
    with pytest.raises(DataError, match=fault):
        download("cifar10")
    assert installed("cifar10") is None and not (places.own_root() / "cifar10").exists()


def test_what_is_offered() -> None:
    assert set(downloadable()) == {"cifar10", "cifar100", "fashionmnist", "mnist"}
    for name in downloadable():
        found = offer(name, Path("x"))
        assert found.folder == Path("x") / name and found.hosts and all(found.hosts) and 10 < found.megabytes < 200
        assert all(len(file.md5) == 32 and file.urls for file in found.files) and not found.complete
        assert len(found.files) == len(module._KNOWN[name][1])
    with pytest.raises(DataError, match="no data set to download named 'imagenet'"):
        download("imagenet")
    with pytest.raises(DataError):
        download("shapes")


def test_no_host_is_named_in_the_code() -> None:
    for path in (module.__file__, transfer.__file__):
        assert not re.search(r"https?://|\.(com|org|edu|net)\b", Path(path).read_text("utf-8"))
