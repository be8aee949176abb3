"""The page in a browser: its views, languages and colours."""


def test_digits_are_read_while_they_are_drawn(page):
    page.open("digits")
    page.draw([[[0.4, 0.2], [0.6, 0.2], [0.55, 0.4], [0.5, 0.6], [0.47, 0.8]]])
    assert page.wait("return document.querySelector('.answer').innerText === '7'")
    assert page.text(".time").endswith(" ms")
