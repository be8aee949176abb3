"""What a person is told, in English and in Chinese: users of Chinese texts read either."""

from tf2cases.errors import UsageError


def bilingual_error(english: str, chinese: str) -> UsageError:
    """An error whose message is in two languages, the English sentence first."""
    return UsageError(f"{english} {chinese}")
