"""Words that say little about a text and are left out of its cloud."""

import pathlib

from tf2cases.wordcloud import reading

# English words that the list of the wordcloud package lacks; then function words of modern Chinese and of the
# vernacular of classical novels.
_OWN = pathlib.Path(__file__).with_name("stopwords.txt")


def chosen(path: str | None, own: bool) -> frozenset[str]:
    """The stop words to use, in lower case; the same for every language, as Chinese texts contain English words.

    Args:
      path: the user's list, one word per line ('#' starts a comment), or None.
      own: whether to add this package's lists to the English list of the wordcloud package, which is always used.

    Raises:
      UsageError: the file cannot be read, or is not text.
    """
    import wordcloud

    words = set(wordcloud.STOPWORDS)
    if own:
        words.update(_OWN.read_text(encoding="utf-8").split())
    if path:
        with reading.opened(path, "--stopwords") as text:
            lines = (line.split("#")[0].strip() for line in text.all().splitlines())
            words.update(line for line in lines if line)
    return frozenset(word.lower() for word in words)
