"""Error messages in English and Chinese, because users with Chinese texts may read only one of them."""

from tf2cases.errors import UsageError


def bilingual_error(english: str, chinese: str) -> UsageError:
    """An error whose message is in two languages, the English sentence first."""
    return UsageError(f"{english} {chinese}")
