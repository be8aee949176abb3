"""The language is told by the script."""

import pytest

from tf2cases.wordcloud import language


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("The garden behind the library", "en"),
        ("小城里的茶园", "zh"),
        ("用 TensorFlow 训练一个很小的网络", "zh"),
        ("Mr Li (李) lives near the river (河) with his friends", "en"),
        ("Der Garten hinter der Bücherei", "en"),
        ("𠮷𠮷𠮷 a", "zh"),
        ("2024 12 31", "en"),
    ],
)
def test_detect(sample, expected):
    assert language.detect(sample) == expected
