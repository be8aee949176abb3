"""Parts of a word are ordered as Unicode's bidirectional algorithm orders them."""

import pytest

from tf2cases.wordcloud.shaping import runs


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("garden 12.5", "garden 12.5"),
        ("سلام", "مالس"),
        ("كتاب 123", "123 باتك"),
        ("אב-גד 12.5", "12.5 דג-בא"),
        ("C++ אבג", "C++ גבא"),
        ("אבג Python 3", "Python 3 גבא"),
        ("abc אבג 123 d", "abc 123 גבא d"),
        ("", ""),
    ],
)
def test_the_order_on_the_page(word, shown):
    assert "".join(text[::-1] if right_to_left else text for text, right_to_left in runs(word)) == shown
