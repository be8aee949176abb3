"""Weighing the words of a text: by count, TF-IDF or TextRank. Memory does not grow with the text."""

import copy
import dataclasses
import itertools
import types
from collections import Counter
from collections.abc import Callable, Iterable

from tf2cases.errors import UsageError
from tf2cases.wordcloud import capitals, language, stopwords
from tf2cases.wordcloud.messages import bilingual_error
from tf2cases.wordcloud.options import Options
from tf2cases.wordcloud.reading import Text
from tf2cases.wordcloud.segmentation import OwnWords, Segmenter, analyse
from tf2cases.wordcloud.words import Kept, find, is_number, is_word, length, unspaced

MAX_DIFFERENT = 500_000  # words, and pairs of words, that are counted at once; beyond it, the rarest are dropped
MAX_TEXTRANK_BYTES = 8_000_000  # TextRank holds all words and all pairs of neighbours in memory
_NONE = Kept()


@dataclasses.dataclass(frozen=True)
class Words:
    """The weighted words of a cloud.

    Attributes:
      weights: {word: weight above 0}, the heaviest first, at most `max_words` of them.
      language: "en" or "zh".
      different: how many different words the text has, without those left out.
    """

    weights: dict[str, float]
    language: str
    different: int


def weigh(text: Text, options: Options, progress: Callable[[int], None] | None = None) -> Words:
    """Weighs the words of a text.

    Args:
      text: from `reading.opened`.
      options: `language`, `segment`, `weights`, `max_words`, `min_word_length`, `collocations`, `stopwords`,
        `own_stopwords`, `user_dict` and `add_words` are used; None stands for the language's default.
      progress: called with the bytes read since the last call.

    Raises:
      UsageError: no words are left, a list or dictionary is not valid, or the preset or the method does not suit the
        text.
    """
    if options.preset:
        _check_preset(text, options.preset, options.language)
    spoken = language.detect(text.sample()) if options.language == "auto" else options.language
    chinese = spoken == "zh"
    if options.language == "auto":
        _check_spaces(text)
    if options.weights != "count":
        _check_method(text, options.weights, chinese)
    stop = stopwords.chosen(options.stopwords, options.own_stopwords)
    shortest = options.min_word_length if options.min_word_length is not None else 2 if chinese else 0
    segment = options.segment if options.segment is not None else chinese
    own = OwnWords(options.user_dict, options.add_words)
    chunks = text.chunks(progress)
    if options.weights == "count":
        if segment:
            chunks = (" ".join(words) for words in Segmenter(own).cut(chunks))
        pairs = options.collocations if options.collocations is not None else not chinese
        weights, seen = count(chunks, stop, shortest, pairs, own.marked if segment else own.all, own.given)
    else:
        ask = _tfidf if options.weights == "tfidf" else _textrank
        tags, seen = ask(Segmenter(own), chunks, stop)
        weights = {
            word: weight
            for word, weight in tags
            if word in own.given or (length(word) >= shortest and (is_word(word) or word in own.marked))
        }
    if not weights:
        if not seen and options.weights == "count":
            raise bilingual_error(
                f"{text.name}, but it has no words; it must be a text of words.", "（文本中没有词。）"
            )
        raise _nothing_left(text.name, seen, shortest, options.own_stopwords)
    return Words(dict(Counter(weights).most_common(options.max_words)), spoken, len(weights))


def _nothing_left(name: str, seen: int, shortest: int, own_stopwords: bool) -> UsageError:
    """The error for a text without words to draw; it names only reasons and remedies that there are."""
    reasons, remedies = ["stop words", "numbers"], ["other words"]
    chinese = "停用词或数字"
    if shortest > 1:
        reasons.append(f"shorter than --min_word_length={shortest}")
        remedies.append(f"--min_word_length={shortest - 1}")
        chinese = "停用词、数字或过短的词"
    if own_stopwords:
        remedies.append("--noown_stopwords")
    english = f"none of its {seen:,} words" if seen else "none of its words"
    what = f"{', '.join(reasons[:-1])} or {reasons[-1]}"
    return bilingual_error(
        f"{name}, but {english} is left: all are {what}; expected {' or '.join(remedies)}.",
        f"（文本的{f' {seen:,} 个' if seen else ''}词都是{chinese}，没有可画的词。）",
    )


def count(
    chunks: Iterable[str], stop: frozenset[str], shortest: int, pairs: bool, whole: Kept = _NONE, given: Kept = _NONE
) -> tuple[dict[str, int], int]:
    """Counts words as `WordCloud.process_text` does, but one chunk at a time, and by Unicode's rules (see `words`).

    Words that differ only in case are counted as the most frequent form, and plurals in -s as their singular; numbers
    are not counted. With `pairs`, two words that occur together much more often than by chance are counted as one.

    Args:
      chunks: pieces of normalised text, with white space between words.
      stop: stop words in lower case.
      shortest: words of fewer characters are left out.
      pairs: whether to look for pairs.
      whole: words that are kept whole.
      given: words that are counted even if they are short or numbers.

    Returns:
      {word: times}, in the order of first appearance, and the number of words before any were left out.
    """
    singles: Counter = Counter()
    doubles: Counter = Counter()
    seen = 0
    before, before_kept = "", False  # the last word of the previous chunk
    for chunk in chunks:
        words: list[str] = []
        for piece, is_own in whole.split(chunk):
            words += [piece] if is_own else find(piece)
        seen += len(words)
        words = [word[:-2] if word.endswith(("'s", "'S")) else word for word in words]
        words = [
            word
            for word in words
            if (length(word) >= shortest and (not is_number(word) or word in whole)) or word in given
        ]
        if not words:
            continue
        kept = [word.lower() not in stop for word in words]
        singles.update(itertools.compress(words, kept))
        if pairs:
            words.insert(0, before)
            kept.insert(0, before_kept)
            both_kept = (first and second for first, second in itertools.pairwise(kept))
            doubles.update(itertools.compress(itertools.pairwise(words), both_kept))
            before, before_kept = words[-1], kept[-1]
            _make_room(doubles)
        _make_room(singles)
    return _with_pairs(singles, doubles), seen


def _with_pairs(singles, doubles):
    """Counts words and, as the wordcloud package does, collocations, whose counts are subtracted from their words'."""
    from wordcloud.tokenization import process_tokens, score

    spelled = capitals.spellings(singles)
    counts, written = process_tokens(spelled.get(word, word) for word in singles.elements())
    joined = ("\n".join(spelled.get(word, word) for word in pair) for pair in doubles.elements())
    pair_counts, _ = process_tokens(joined)
    alone, total = dict(counts), singles.total()
    for pair, times in pair_counts.items():
        first, second = (written.get(word.lower(), word) for word in pair.split("\n"))
        if first in alone and second in alone and score(times, alone[first], alone[second], total) > 30:
            counts[first] -= times
            counts[second] -= times
            counts[pair.replace("\n", " ")] = times
    return {word: times for word, times in counts.items() if times > 0}


def _make_room(counter):
    """Drops the rarest if there are more than `MAX_DIFFERENT`, which no language has."""
    if len(counter) <= MAX_DIFFERENT:
        return
    left, least = counter, 1
    while len(left) > MAX_DIFFERENT // 2:
        left = {word: times for word, times in left.items() if times > least}
        least += 1
    counter.clear()
    counter.update(left)


def _tfidf(segmenter, chunks, stop):
    singles, seen = Counter(), 0
    for words in segmenter.cut(chunks):
        words = [word for word in words if len(word) >= 2]
        seen += len(words)
        singles.update(words)
        _make_room(singles)
    # jieba counts the words that its tokenizer yields; here they are counted already, and only repeated for it.
    extractor = _extractor(analyse().default_tfidf, lambda words: words.elements(), stop)
    return extractor.extract_tags(singles, topK=None, withWeight=True), seen


def _textrank(segmenter, chunks, stop):
    extractor = _extractor(analyse().default_textrank, segmenter.cut_with_tags, stop)
    tags = extractor.extract_tags(chunks, topK=None, withWeight=True)
    return tags, len(tags)


def _extractor(default, cut, stop):
    """A copy of one of jieba's extractors that uses `cut` as its tokenizer and also leaves out `stop`."""
    made = copy.copy(default)
    made.tokenizer = types.SimpleNamespace(cut=cut)
    made.stop_words = default.stop_words | stop
    return made


def _check_preset(text, preset, wanted):
    sample = text.sample()
    if language.detect(sample) == wanted or not any(map(str.isalpha, sample)):
        return
    if wanted == "zh":
        raise bilingual_error(
            f"--preset is {preset!r}, which is for Chinese, but {text.name}, which is not Chinese: expected another "
            "preset, or --language=zh.",
            f"（预设 {preset} 用于中文，而该文本不是中文，请换用其他预设，或加上 --language=zh。）",
        )
    raise bilingual_error(
        f"--preset is {preset!r}, which is for languages with spaces between words, but {text.name}, which is Chinese: "
        f"expected another preset, or --language={wanted}.",
        f"（预设 {preset} 用于词间有空格的语言，而该文本是中文，请换用其他预设，或加上 --language={wanted}。）",
    )


def _check_spaces(text):
    if spoken := unspaced(text.sample()):
        raise bilingual_error(
            f"{text.name}, which is {spoken} without spaces between the words: expected a text that another program "
            "has segmented into words, or --language=en for a cloud of what stands between the spaces.",
            "（该语言的词之间没有空格，请先用其他程序分词，或用 --language=en 按空格处理。）",
        )


def _check_method(text, method, chinese):
    if not chinese:
        raise bilingual_error(
            f"--weights is {method!r}, which works only for Chinese, but {text.name}, which is not Chinese: "
            "expected --weights=count, or --language=zh.",
            "（该文本不是中文，tfidf 与 textrank 只适用于中文，请用 --weights=count。）",
        )
    if method == "textrank" and text.size > MAX_TEXTRANK_BYTES:
        raise bilingual_error(
            f"--weights is 'textrank', which holds all pairs of neighbours in memory, but {text.name}, which has "
            f"{text.size:,} bytes: expected at most {MAX_TEXTRANK_BYTES:,} bytes, or --weights=tfidf.",
            f"（文本过长，textrank 最多处理 {MAX_TEXTRANK_BYTES:,} 字节，请改用 --weights=tfidf。）",
        )
