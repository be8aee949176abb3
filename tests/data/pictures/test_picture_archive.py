"""Archives of pictures, and those that were made to do harm or came to some."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tf2cases.data.pictures import archive as archive_module
from tf2cases.data.pictures import folder
from tf2cases.data.pictures.archive import PictureArchive
from tf2cases.errors import UsageError

FILES = {f"set/{i}.jpg": os.urandom(3000) for i in (3, 1, 2)}
OTHERS = {"set/readme.txt": b"text", "__MACOSX/set/._1.jpg": b"junk", "set/.hidden.jpg": b"junk"}


def make_zip(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def make_tar(path, members, mode="w:gz", kind=tarfile.REGTYPE, link=""):
    with tarfile.open(path, mode) as archive:
        top = tarfile.TarInfo("set")
        top.type = tarfile.DIRTYPE
        archive.addfile(top)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data) if kind == tarfile.REGTYPE else 0, kind, link
            archive.addfile(info, io.BytesIO(data))
    return path


def read(path):
    with PictureArchive(path).open() as (count, files):
        found = [(name, get()) for name, get in files]
    assert count == len(found)
    return found


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_is_read_by_name(tmp_path, compression):
    assert read(make_zip(tmp_path / "a.zip", {**FILES, **OTHERS}, compression)) == sorted(FILES.items())


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_is_read_in_its_order(tmp_path, mode):
    # What it is shows in its content.
    assert read(make_tar(tmp_path / "archive", {**FILES, **OTHERS}, mode)) == list(FILES.items())


def test_tar_of_the_folder_itself(tmp_path):
    members = {f"./{name}": data for name, data in FILES.items()}
    assert read(make_tar(tmp_path / "a.tgz", members)) == list(FILES.items())


def test_nothing_is_written_to_the_disk(tmp_path):
    path = make_zip(tmp_path / "a.zip", FILES)
    read(path)
    assert os.listdir(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../out.jpg", "leads out of the archive"),
        ("set/../../out.jpg", "leads out of the archive"),
        ("/etc/out.jpg", "is an absolute path"),
        ("..\\out.jpg", "leads out of the archive"),
        ("C:/out.jpg", "is an absolute path"),
        ("../readme.txt", "leads out of the archive"),  # whatever it is
    ],
)
def test_refuses_paths_out_of_the_archive(tmp_path, make, name, why):
    path = make(tmp_path / "a", {**FILES, name: b"x"})
    with pytest.raises(
        UsageError, match=rf"a has a member '{name!r}', which {why}".replace("''", "'").replace("\\", "\\\\")
    ):
        read(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_refuses_links_in_a_tar(tmp_path, kind):
    path = make_tar(tmp_path / "a.tgz", {"set/a.jpg": b""}, kind=kind, link="/etc/passwd")
    with pytest.raises(UsageError, match=r"a.tgz has a member 'set/a.jpg', which is a link: expected only plain files"):
        read(path)


def test_refuses_devices_in_a_tar(tmp_path):
    path = make_tar(tmp_path / "a.tgz", {"set/a.jpg": b""}, kind=tarfile.FIFOTYPE)
    with pytest.raises(UsageError, match=r"has a member 'set/a.jpg', which is not a plain file"):
        read(path)


def test_refuses_links_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("set/a.jpg")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UsageError, match=r"a.zip has a member 'set/a.jpg', which is a link"):
        read(tmp_path / "a.zip")


@pytest.mark.parametrize("page", ["<!DOCTYPE html><html>Quota exceeded", "\n <HTML><head>", "\ufeff<html>"])
@pytest.mark.parametrize("name", ["img_align_celeba.zip", "lfw.tgz"])
def test_names_an_html_page(tmp_path, page, name):
    (tmp_path / name).write_text(page, encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{name} is an HTML page, probably a download-quota notice"):
        read(tmp_path / name)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.999])
@pytest.mark.parametrize(("name", "make"), [("a.zip", make_zip), ("a.tgz", make_tar)])
def test_names_an_archive_that_is_cut_short(tmp_path, name, make, part):
    path = make(tmp_path / name, FILES)
    os.truncate(path, int(part * os.path.getsize(path)))
    kind = "zip" if name == "a.zip" else "tar"
    with pytest.raises(
        UsageError, match=rf"{name} is cut short, damaged or not an archive \(.+\): expected a complete {kind}"
    ):
        read(path)


@pytest.mark.parametrize("left", [512 + 512 + 1000, 512 + 512 + 3072, 512 + 100, 512 + 512 + 3072 + 512 + 10])
def test_names_a_plain_tar_that_is_cut_short(tmp_path, left):
    # In the data of its first file, right after them, in its header, in the data of the second.
    path = make_tar(tmp_path / "a.tar", FILES, "w")
    os.truncate(path, left)
    with pytest.raises(UsageError, match=r"a.tar is cut short"):
        read(path)


def test_names_garbage_in_the_middle(tmp_path):
    path = make_tar(tmp_path / "a.tar", FILES, "w")
    with open(path, "r+b") as file:
        file.seek(512 + 512 + 3072)
        file.write(b"\x55" * 512)
    with pytest.raises(UsageError, match=r"a.tar is cut short, damaged"):
        read(path)


def test_names_what_is_no_archive(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff" + bytes(3000))
    with pytest.raises(
        UsageError, match=r"a.jpg is cut short, damaged or not an archive \(.+\): expected a complete tar"
    ):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_refuses_an_archive_without_pictures(tmp_path, make):
    path = make(tmp_path / "a", OTHERS)
    with pytest.raises(UsageError, match=r"a has no pictures, but must have files ending in"):
        read(path)


def test_one_damaged_member_is_an_error_of_its_own(tmp_path):
    path = make_zip(tmp_path / "a.zip", FILES)
    data = bytearray(path.read_bytes())
    data[data.index(FILES["set/1.jpg"]) + 5] ^= 1
    path.write_bytes(data)
    with PictureArchive(path).open() as (_, files):
        reads = dict(files)
        with pytest.raises(OSError, match="CRC"):
            reads["set/1.jpg"]()
        assert reads["set/2.jpg"]() == FILES["set/2.jpg"]


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_large_members_are_not_read(tmp_path, make, monkeypatch):
    monkeypatch.setattr(folder, "MAX_BYTES", 2**11)
    with PictureArchive(make(tmp_path / "a", FILES)).open() as (_, files):
        with pytest.raises(OSError, match="more than 0 MiB"):
            next(files)[1]()


def test_fingerprint_needs_no_more_than_both_ends(tmp_path):
    path = make_zip(tmp_path / "a.zip", FILES)
    first = PictureArchive(path).fingerprint()
    assert first[:2] == [os.path.getsize(path), os.stat(path).st_mtime_ns]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(first[1], first[1]))
    assert PictureArchive(path).fingerprint()[:2] == first[:2]
    assert PictureArchive(path).fingerprint() != first
    with pytest.raises(UsageError, match=r"b.zip cannot be read \(No such file"):
        PictureArchive(tmp_path / "b.zip").fingerprint()


def test_real_archive(shared):
    with PictureArchive(shared / "data" / "faces" / "celeba_10000_89x109.tgz").open() as (count, files):
        assert count == 10000
        name, get = next(files)
        assert name == "celeba/000001.jpg"
        assert len(get()) == 3535  # as `tar tzv` lists it


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_member_is_read_up_to_its_declared_size_only(tmp_path, compression):
    size = 0x07654321
    path = make_zip(tmp_path / "a.zip", {"a.png": bytes(size)}, compression)
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    program = f"""
import resource
from tf2cases.data.pictures.archive import PictureArchive
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with PictureArchive({str(path)!r}).open() as (_, files):
    try:
        next(files)[1]()
    except OSError as error:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, "KiB:", error)
"""
    path = os.pathsep.join(sys.path)
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": path})
    kibibytes, _, error = said.stdout.partition(" KiB: ")
    assert "CRC" in error or "1000 bytes that its header declares" in error
    assert int(kibibytes) < 20_000


def test_bzip2_members_are_read(tmp_path):
    assert read(make_zip(tmp_path / "a.zip", FILES, zipfile.ZIP_BZIP2)) == sorted(FILES.items())


def test_other_compressions_of_a_zip_are_named(tmp_path):
    with PictureArchive(make_zip(tmp_path / "a.zip", FILES, zipfile.ZIP_LZMA)).open() as (_, files):
        with pytest.raises(OSError, match="compression is not supported: expected none, deflate or bzip2"):
            next(files)[1]()


def sparse(data):
    return data[:156] + b"S" + data[157:386] + b"x" * 96 + data[482:]


def with_size(field):
    return lambda data: data[:124] + field + data[136:]


@pytest.mark.parametrize(
    "change",
    [
        sparse,  # its map of holes is no number
        with_size(b"\x80" + b"\xff" * 11),  # 2**88
        with_size(b"\xff" * 12),  # -1
        with_size(b"77777777777\0"),
    ],
)
def test_impossible_headers_of_a_tar_are_named(tmp_path, change):
    path = make_tar(tmp_path / "a.tar", {"a.png": b"data"}, "w")
    data = bytearray(path.read_bytes())
    header = bytearray(change(bytes(data[512:1024])))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path.write_bytes(bytes(data[:512]) + bytes(header) + bytes(data[1024:]))
    with pytest.raises(UsageError, match=r"a.tar is cut short, damaged or not an archive \([^\n]+\): expected"):
        read(path)


@pytest.mark.parametrize("size", [2**63, 2**64, -1])
def test_impossible_sizes_in_a_pax_header_are_named(tmp_path, size):
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a.png")
        info.pax_headers = {"size": str(size)}
        archive.addfile(info)
    with pytest.raises(UsageError, match=r"a.tar is cut short, damaged or not an archive"):
        read(tmp_path / "a.tar")


def test_a_header_that_fills_the_memory_is_not_read(tmp_path):
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("b" * 2**19 + ".png"))
    with pytest.raises(UsageError, match=r"a.tgz is cut short, damaged or not an archive \(a header declares 5\d+ "):
        read(tmp_path / "a.tgz")


def test_a_name_that_is_flagged_as_utf8_but_is_not_is_an_error_of_its_archive(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"é.png": b"data"})
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(
        UsageError, match=r"a.zip is cut short, damaged or not an archive \(byte 1 is not UTF-8\): expected"
    ):
        read(path)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_an_archive_that_unpacks_to_a_hundred_times_its_size_is_refused(tmp_path, make, monkeypatch):
    monkeypatch.setattr(archive_module, "_NEVER_TOO_LARGE", 2**21)
    options = {"compression": zipfile.ZIP_DEFLATED} if make is make_zip else {}
    path = make(tmp_path / "a", {"a.png": bytes(2**22)}, **options)
    with pytest.raises(UsageError, match=r"a unpacks to \S+ GiB or more, which is more than 100 times its size: "):
        read(path)
