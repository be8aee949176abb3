"""Shared code of the programs that take pictures on the command line: files, and folders and archives of them."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tf2cases.data.pictures import archive, members
from tf2cases.data.pictures import files as picture_files
from tf2cases.data.pictures.folder import PictureFolder
from tf2cases.errors import UsageError

if TYPE_CHECKING:
    from tf2cases.serving.client import Client

POSITIONAL = "PICTURE_OR_FOLDER..."


def is_collection(path: str) -> bool:
    """Whether a path stands for the pictures in it: a folder, or a file that is named like an archive."""
    return os.path.isdir(path) or (path.lower().endswith(archive.ENDINGS) and os.path.isfile(path))


def listed(arguments: Sequence[str]) -> list[str]:
    """The paths of the pictures: a folder or archive stands for those in it and its sub-folders, sorted by name.

    A line on standard output says what was left out of it, see `folder.LeftOut`.

    Raises:
      UsageError: a folder or archive has no pictures, or cannot be read.
    """
    paths = []
    for argument in arguments:
        if not is_collection(argument):
            paths.append(argument)
            continue
        names = PictureFolder(argument).names if os.path.isdir(argument) else members.names(argument)
        paths += [os.path.join(argument, name) for name in names]
    return paths


def check_targets(sources: Sequence[str], targets: Sequence[str]) -> None:
    """Refuses pictures whose answers would replace each other's files.

    Args:
      sources: paths of pictures.
      targets: the file that is written for each.

    Raises:
      UsageError: two pictures have the same file; the message names them.
    """
    first: dict[str, str] = {}
    for source, target in zip(sources, targets, strict=True):
        if target in first:
            raise UsageError(
                f"{first[target]} and {source} would both be written to {target}; they must have different names."
            )
        first[target] = source


def check_kept(flag: str, out: str, sources: Sequence[str], targets: Iterable[str]) -> None:
    """Refuses to replace pictures that are read.

    Args:
      flag, out: the flag that says where to write, and its value.
      sources: paths of pictures.
      targets: the files that are written.

    Raises:
      UsageError: a target is one of the pictures.
    """
    read = {os.path.realpath(path): path for path in sources}
    for target in targets:
        path = read.get(os.path.realpath(target))
        if path is not None:
            raise UsageError(f"{flag} is {out!r}, but must not replace the picture {path}, which is read.")


class Refused:
    """Names the pictures that cannot be read, one line each on standard error, while the others are answered.

    Args:
      program: the name of the program.
    """

    def __init__(self, program: str):
        self._program, self._count = program, 0

    def __call__(self, path: str, error: Exception) -> None:
        """Reports a picture; the error's message names it."""
        del path
        self._count += 1
        sys.stdout.flush()
        print(f"{self._program}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)

    def exit_status(self, answered: int) -> int:
        """The program's exit status: 1 if some pictures were answered and others could not be read, 2 if none was."""
        if not self._count:
            return 0
        return 1 if answered else 2

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """(path, content) of each picture that can be read, see `pictures.files.read`."""
        for path in paths:
            try:
                content = picture_files.read(path)
            except UsageError as error:
                self(path, error)
            else:
                yield path, content

    def ask(
        self, model: "Client", signature: str, batch: Sequence[tuple[str, bytes]]
    ) -> Iterator[tuple[Sequence[tuple[str, bytes]], dict[str, Any]]]:
        """Asks a model about a batch of (path, content), without those that it refuses.

        Yields:
          (part of the batch, answer): the whole batch, or its pictures one by one if the model refuses one of them.
        """
        (key,) = model.signatures[signature].inputs
        if len(batch) > 1:
            try:
                answer = model.call(signature, **{key: [content for _, content in batch]})
            except UsageError:
                pass
            else:
                yield batch, answer
                return
        for path, content in batch:
            try:
                answer = model.ask_files(signature, [path], [content])
            except UsageError as error:
                self(path, error)
            else:
                yield [(path, content)], answer
