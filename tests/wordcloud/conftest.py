"""What the tests of word clouds share."""

import pytest

from tf2cases import wordcloud


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory):
    """No test may reach for the person's own cache; one for all of them, or each would build jieba's dictionary."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        yield


@pytest.fixture
def text_file(tmp_path):
    """Writes a text (str in UTF-8, or bytes) and gives its path."""

    def write(content, name="text.txt"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


@pytest.fixture
def weigh(text_file):
    """Weighs a text given as str or bytes, with options by name."""

    def weighed(content, **options):
        with wordcloud.opened(text_file(content)) as text:
            return wordcloud.weigh(text, wordcloud.make_options(**options))

    return weighed


@pytest.fixture(scope="session")
def novel(shared):
    """The 730,000 characters of the novel."""
    return (shared / "data" / "text" / "xyj.txt").read_text(encoding="utf-8")
