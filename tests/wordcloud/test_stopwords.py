"""Which words are left out."""

import pytest
import wordcloud as package

from tf2cases.errors import UsageError
from tf2cases.wordcloud import stopwords


def test_the_packages_list_always_holds_and_ours_on_request():
    assert stopwords.chosen(None, own=False) == {word.lower() for word in package.STOPWORDS}
    ours = stopwords.chosen(None, own=True)
    assert {"的", "了", "他", "我们", "什么", "upon", "the"} <= ours
    assert not {"茶园", "garden", "行者", "师父"} & ours


def test_a_persons_list_is_added(text_file):
    path = text_file(
        "# mine\n茶园\n\nGarden  # lower case\n".encode("gb18030") + "的一是不了人我在有他".encode("gb18030")
    )
    assert {"茶园", "garden"} <= stopwords.chosen(path, own=False)
    assert "# mine" not in stopwords.chosen(path, own=False)


def test_a_missing_list_is_refused():
    with pytest.raises(UsageError, match=r"--stopwords is 'none\.txt', but it cannot be read"):
        stopwords.chosen("none.txt", own=True)
