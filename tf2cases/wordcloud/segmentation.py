"""Segmentation of Chinese text by jieba, with a cached dictionary."""

import functools
import logging
import os
import pathlib
import re
import stat
import sys
import types
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from tf2cases.wordcloud import reading, words
from tf2cases.wordcloud.messages import bilingual_error

_PLAIN = re.compile(r"[\u4e00-\u9fd5a-zA-Z0-9]+")  # what jieba takes for parts of words and words.find for a word
_ENTRY = re.compile(r"(\S+)(?:\s+(\d+))?(?:\s+([^\W\d_]+))?")  # a word, its frequency, its part of speech


class OwnWords:
    """The user's own words, which must be kept whole.

    Attributes:
      entries: [(word, frequency or None, part of speech or None)].
      given: the words of --add_words, which the user wants in the cloud even if they are short or numbers.
      all: every word.
      marked: the words that jieba would cut, since they have spaces, punctuation marks, accents or rare characters.
    """

    def __init__(self, user_dictionary: str | None = None, own_words: Iterable[str] = ()):
        """Reads the user's dictionary.

        Args:
          user_dictionary: a file with one word per line, optionally followed by its frequency and part of speech, or
            None.
          own_words: further words.

        Raises:
          UsageError: the file cannot be read or has a line that is not of that form, or a word is empty.
        """
        given = [words.normalised(word.strip()) for word in own_words]
        if not all(given):
            raise bilingual_error(
                "--add_words has an empty word: expected words separated by commas.",
                "（--add_words 中有空词，请用逗号分隔各词。）",
            )
        self.entries = [*_entries(user_dictionary), *((word, None, None) for word in given)]
        found = [word for word, _, _ in self.entries]
        self.given, self.all = words.Kept(given), words.Kept(found)
        self.marked = words.Kept(word for word in found if not _PLAIN.fullmatch(word))


class Segmenter:
    """jieba's tokenizer with the user's own words added.

    The prefix dictionary is built once and then loaded from the user's own cache: jieba's default is the temporary
    folder, where anybody may have put a file of that name. The dictionary that other code in this process uses is not
    modified.
    """

    def __init__(self, own: "OwnWords | None" = None):
        """Sets up the dictionary; loading it, once per process, takes a second, or half a second if it is cached."""
        own = own or OwnWords()
        self._kept = own.marked
        self._tags = {word: tag for word, _, tag in own.entries}
        self._tokenizer = _jieba().Tokenizer()
        frequencies, self._tokenizer.total = _dictionary()
        self._tokenizer.FREQ = dict(frequencies) if own.entries else frequencies
        self._tokenizer.initialized = True
        for word, frequency, tag in own.entries:
            if word not in own.marked:
                self._tokenizer.add_word(word, frequency, tag)

    def cut(self, chunks: Iterable[str]) -> Iterator[list[str]]:
        """Yields, for each chunk, the words, punctuation marks and spaces that jieba cuts it into, in order.

        Own words are kept whole, and so are words of other scripts, which jieba would cut at accents and apostrophes.
        """
        for chunk in chunks:
            cut: list[str] = []
            for piece, whole in self._pieces(chunk):
                cut += [piece] if whole else self._tokenizer.lcut(piece)
            yield cut

    def cut_with_tags(self, chunks: Iterable[str]) -> Iterator:
        """Yields jieba's pairs of word and part of speech, in order; equal pairs are one object, to save memory."""
        import jieba.posseg

        # Its constructor would read the whole dictionary again, as the import just did.
        tagger = object.__new__(jieba.posseg.POSTokenizer)
        tagger.tokenizer = self._tokenizer
        tagger.word_tag_tab = dict(jieba.posseg.dt.word_tag_tab)
        for word, tag in self._tags.items():
            tagger.word_tag_tab[word] = tag or tagger.word_tag_tab.get(word, "n")
        seen: dict[Any, Any] = {}
        for chunk in chunks:
            for piece, whole in self._pieces(chunk):
                tag = tagger.word_tag_tab.get(piece, "n" if piece in self._kept else "eng")
                for pair in [jieba.posseg.pair(piece, tag)] if whole else tagger.cut(piece):
                    yield seen.setdefault((pair.word, pair.flag), pair)

    def _pieces(self, chunk) -> Iterator[tuple[str, bool]]:
        """A text in pieces, in order, and whether each is a word that must not be cut."""
        for piece, kept in self._kept.split(chunk):
            done = 0
            for start, end in [] if kept else words.foreign(piece):
                if done < start:
                    yield piece[done:start], False
                yield piece[start:end], True
                done = end
            if done < len(piece):
                yield piece[done:], kept


def known_words(text: str) -> list[str]:
    """The words that jieba cuts a Chinese text into by its dictionary alone, without guessing new ones."""
    tokenizer = _jieba().Tokenizer()
    tokenizer.FREQ, tokenizer.total = _dictionary()
    tokenizer.initialized = True
    return tokenizer.lcut(text, HMM=False)


def cache_folder() -> pathlib.Path:
    """The folder of this project in the user's cache."""
    if sys.platform == "darwin":
        place = pathlib.Path.home() / "Library" / "Caches"
    else:
        place = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(place) / "tf2cases"


def analyse() -> types.ModuleType:
    """The module `jieba.analyse`; it reads its table of document frequencies while it is imported."""
    _jieba()
    import jieba.analyse

    return jieba.analyse


def _jieba():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes in its patterns, and pkg_resources, which it does not need
        import jieba
    jieba.setLogLevel(logging.ERROR)  # otherwise it reports on its dictionary on standard error
    return jieba


@functools.cache
def _dictionary() -> tuple[dict[str, int], int]:
    """jieba's words and prefixes of words with their frequencies, and the sum of these; not to be modified."""
    jieba = _jieba()
    tokenizer = jieba.Tokenizer()
    folder = _private_folder()
    if folder is None:  # no cache, so every process builds it
        return tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.tmp_dir = str(folder)
    # jieba does not check whether a cache matches its version of the dictionary.
    tokenizer.cache_file = f"jieba-{jieba.__version__}.cache"
    tokenizer.initialize()
    return tokenizer.FREQ, tokenizer.total


def _private_folder():
    """`cache_folder()`, created if needed; None if it belongs to another user, others can write to it, or we cannot."""
    try:
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return None
        return folder if os.access(folder, os.W_OK) else None
    except (OSError, RuntimeError):  # RuntimeError: no home folder
        return None


def _entries(path) -> Iterator[tuple[str, int | None, str | None]]:
    if path is None:
        return
    with reading.opened(path, "--user_dict") as text:
        for number, line in enumerate(map(str.strip, text.all().splitlines()), 1):
            if entry := _ENTRY.fullmatch(line):
                word, frequency, part_of_speech = entry.groups()
                yield word, int(frequency) if frequency else None, part_of_speech
            elif line:
                raise bilingual_error(
                    f"--user_dict is {path!r}, but its line {number} is {line!r}: expected a word, optionally followed "
                    "by its frequency and its part of speech.",
                    f"（词典第 {number} 行有误，每行应为：词 [词频] [词性]。）",
                )
