"""What a person is told, in English and in Chinese: users of Chinese texts read either."""


def both(english: str, chinese: str) -> str:
    """One message in two languages, the English sentence first."""
    return f"{english} {chinese}"
