"""The bundle as one archive, the same bytes wherever and whenever it is made."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

from service.engine.bundle import MANIFEST, Bundle


def archive_bundle(bundle: Bundle, directory: Path) -> Path:
    """Write ``NAME-VERSION.tar.gz`` into ``directory``, every file proven against the manifest.

    Raises:
        BundleError: a file is not what the manifest names.
    """
    manifest = bundle.manifest
    stem = f"{manifest.name}-{manifest.version}"
    contents = {name: bundle.read(name) for name in manifest.files}
    contents[MANIFEST] = (bundle.directory / MANIFEST).read_bytes()
    path = directory / f"{stem}.tar.gz"
    with (
        path.open("wb") as file,
        # Without name and time, which gzip would otherwise put into its header.
        gzip.GzipFile("", "wb", 9, file, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(contents):
            entry = tarfile.TarInfo(f"{stem}/{name}")  # owner 0, time 0, mode 0644
            entry.size = len(contents[name])
            archive.addfile(entry, io.BytesIO(contents[name]))
    return path


def checksums(directory: Path) -> str:
    """Lines that ``sha256sum --check`` reads, of every file of a directory but themselves."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(directory.iterdir())
        if path.name != "SHA256SUMS"
    )
