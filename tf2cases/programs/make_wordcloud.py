"""Draws a word cloud of a text, English or Chinese. 把一篇中文或英文文本画成词云。

    python -m bin.make_wordcloud --text=novel.txt --mask=shape.png --color=image --out=cloud.png

Presets; each of their settings can be changed by its flag:
  english       English text, as the wordcloud package draws it          英文词云
  chinese_raw   Chinese without word segmentation: what goes wrong       中文，不分词
  chinese       Chinese segmented into words by jieba                    中文，分词
  mask          in the shape of a black mask                             黑白蒙版
  mask_colors   in the shape and colours of a coloured mask              彩色蒙版及其颜色
  custom_color  in the shape of a coloured mask, in random reds          彩色蒙版，自定义颜色
  keywords      like mask_colors, with keywords weighted by TF-IDF       关键词权重
"""

import dataclasses
import os
import sys
import time
from typing import Any, TextIO

from absl import flags

from tf2cases import files, wordcloud
from tf2cases.configs import path_flags
from tf2cases.wordcloud import cloud as clouds
from tf2cases.wordcloud import fonts, language, masks, messages, tables

_SPOKEN = {"en": "English", "zh": "Chinese"}
_CHOICES = tuple(field.name for field in dataclasses.fields(wordcloud.Options) if field.name != "preset")


def define(values: flags.FlagValues) -> None:
    def text(name: str, help_: str, default: str | None = None) -> None:
        flags.DEFINE_string(name, default, help_, flag_values=values)

    def path(name: str, help_: str, default: str | None = None) -> None:
        path_flags.define(name, default, help_, path_flags.OTHER, values)

    def number(name: str, help_: str) -> None:
        flags.DEFINE_integer(name, None, help_, flag_values=values)

    def choice(name: str, help_: str) -> None:
        flags.DEFINE_bool(name, None, help_, flag_values=values)

    path(
        "text",
        "Text file, UTF-8 or another encoding that is recognised; - for standard input. 文本文件，- 表示标准输入。",
    )
    path("out", "Picture to write, .png or .svg. 输出图片。", "cloud.png")
    text("preset", f"One of {', '.join(wordcloud.PRESETS)}; default: settings that suit the text's language. 预设。")
    path(
        "frequencies",
        "CSV table of word,weight: written if --text is given (- prints it), else read and drawn. "
        "词频表：有文本时写出，否则读入。",
    )
    text("language", "auto, en (any language with spaces between words) or zh. 语言。")
    choice("segment", "Segment the text into words with jieba; default: only Chinese. 是否分词。")
    path("user_dict", "A jieba dictionary of your own, with words to keep whole. 自定义词典。")
    flags.DEFINE_list("add_words", None, "Words to keep whole and to count: one,two. 补充词语。", flag_values=values)
    path("stopwords", "File of additional stop words, one per line. 停用词文件。")
    choice(
        "own_stopwords",
        "Also apply the built-in stop words; default: not in the presets english and keywords. 是否使用自带停用词。",
    )
    number("min_word_length", "Leave out shorter words; default 2 for Chinese, else 0. 词的最少字数。")
    choice("collocations", "Count words that often occur in pairs as one; default: not for Chinese. 词组。")
    text("weights", "count, tfidf or textrank. 权重：次数、TF-IDF 或 TextRank。")
    number("max_words", "Maximum number of words; those with the largest weights are drawn. 词数。")
    path("mask", "Picture whose shape is filled with words; white or transparent is outside. 蒙版，白色或透明处不画。")
    number("width", "Width in pixels without a mask; default 800 for Chinese, else 400. 宽。")
    number("height", "Height in pixels without a mask; default 600 for Chinese, else 200. 高。")
    text(
        "color",
        "image (the mask's colours), weight or weight:HUE (darker for larger weights), 'hsl(0, 60-80%, 60-80%)' "
        "(random within these ranges), or a matplotlib colormap. 上色方式。",
    )
    text(
        "background",
        "transparent or a colour; default transparent for Chinese, else black (white for --color=weight). 背景色。",
    )
    number("outline", "Width of the outline around the mask; default 0 (none). 蒙版轮廓线宽。")
    text("outline_color", "Colour of the outline; default black. 轮廓线颜色。")
    path("font", "Font file; default: a font that has all characters. 字体文件。")
    number("min_font_size", "Smallest font in pixels; default 4. 最小字号。")
    number("max_font_size", "Largest font in pixels. 最大字号。")
    flags.DEFINE_float(
        "prefer_horizontal", None, "Share of horizontal words; default 0.9. 横排比例。", flag_values=values
    )
    number("seed", "Random seed; the same seed draws the same picture; default 0. 随机种子。")


def main(values: flags.FlagValues) -> None:
    started = time.perf_counter()
    table, from_text = values.frequencies, values.text is not None
    if table is None and not from_text:
        raise messages.bilingual_error(
            "--text is missing: expected a text file, or - for standard input; or --frequencies with a CSV table.",
            "（请用 --text 给出文本文件，或用 --frequencies 给出词频表。）",
        )
    clouds.check_target("out", values.out)
    printed = from_text and table == "-"
    written = from_text and table is not None and not printed
    if written:
        clouds.check_target("frequencies", table, (".csv",))
    for read in ("text", "mask", "frequencies", "user_dict", "stopwords"):
        source = getattr(values, read)
        if source and not (read == "frequencies" and written) and files.is_same(source, values.out):
            raise messages.bilingual_error(
                f"--out is {values.out!r}, but must be another file than --{read}, which is read.",
                "（--out 不能与要读取的文件相同。）",
            )
    _check_used(values, from_text)
    options = _options(values)
    notes = sys.stderr if printed else sys.stdout
    mask = masks.read(options.mask) if options.mask else None
    if options.font:
        fonts.find("", options.font)
    words = _read(values, options, notes) if from_text else _taken(table, options)
    made = wordcloud.draw(words, options, mask)
    with files.writing(values.out):
        made.save(values.out)
    if printed:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8")
        print(tables.as_text(words.weights), end="")
    if written:
        _write_table(table, words, notes)
    took = time.perf_counter() - started
    size, drawn, font = f"{made.width} x {made.height}", len(made.words), os.path.basename(made.font)
    asked = min(len(words.weights), options.max_words)
    english = f"{values.out}: {size}, {drawn} of {asked} words, {font}, {took:.1f} s."
    chinese = f"{values.out}：{size}，画出 {asked} 个词中的 {drawn} 个，字体 {font}，{took:.1f} 秒。"
    _tell(notes, words.language, english, chinese)


def _write_table(path: str, words: Any, notes: TextIO) -> None:
    """Writes the table of frequencies; an older one that differs, since it may have been edited, is kept as `PATH~`."""
    content = tables.as_bytes(words.weights)
    if os.path.isfile(path):
        with open(path, "rb") as file:
            differs = file.read(len(content) + 1) != content
        if differs:
            older = os.path.realpath(path) if os.path.islink(path) else path  # a link stays one
            with files.writing(path):
                os.replace(older, f"{older}~")
            _tell(notes, words.language, f"The older {path} is kept as {older}~.", f"原来的 {path} 保留为 {older}~。")
    with files.writing(path):
        wordcloud.write_table(path, words.weights)
    count = len(words.weights)
    _tell(
        notes,
        words.language,
        f"{path}: {count:,} word{'s'[: count != 1]} with weights.",
        f"{path}：{count:,} 个词及其权重。",
    )


_OF_A_TEXT = (
    *("segment", "user_dict", "add_words", "stopwords", "own_stopwords", "min_word_length", "collocations", "weights"),
)


def _check_used(values: flags.FlagValues, from_text: bool) -> None:
    """Refuses flags that have no effect with the others."""
    weights = values.weights or wordcloud.PRESETS.get(values.preset or "", {}).get("weights", "count")
    without: dict[str, tuple[str, str]] = {}
    if not from_text:
        without |= dict.fromkeys(_OF_A_TEXT, ("a table, whose words are weighed already", "词频表已含权重"))
    elif weights != "count":
        why = (f"--weights={weights}, which always segments and finds single words", f"--weights={weights}")
        without |= dict.fromkeys(("segment", "collocations"), why)
    if not values.outline:
        without["outline_color"] = "no --outline", "没有 --outline"
    for name, (english, chinese) in without.items():
        if values[name].present:
            raise messages.bilingual_error(
                f"--{name} is {values[name].value!r}, but has no effect with {english}: leave it out.",
                f"（--{name} 不起作用：{chinese}，请去掉。）",
            )


def _options(values: flags.FlagValues) -> wordcloud.Options:
    given: dict[str, Any] = {name: values[name].value for name in _CHOICES if values[name].value is not None}
    if "add_words" in given:
        given["add_words"] = tuple(given["add_words"])
    return wordcloud.make_options(values.preset, **given)


def _read(values: flags.FlagValues, options: wordcloud.Options, notes: TextIO) -> wordcloud.Words:
    from tqdm import tqdm

    with wordcloud.opened(values.text) as text:
        # Hidden without a terminal, and for the first second, in which most texts are done.
        with tqdm(total=text.size, unit="B", unit_scale=True, delay=1, disable=None, leave=False) as bar:
            words = wordcloud.weigh(text, options, bar.update)
    top = list(words.weights.items())[:5]
    shown = ", ".join(f"{word} {weight:{',' if isinstance(weight, int) else '.3g'}}" for word, weight in top)
    read = f"{text.size:,} bytes of {text.encoding}, read as {_SPOKEN[words.language]}"
    english = f"{values.text}: {read}; {words.different:,} different words, led by {shown}."
    chinese = f"{values.text}：{text.size:,} 字节，{text.encoding} 编码，按中文处理；"
    chinese += f"{words.different:,} 个不同的词，最重的是 {shown}。"
    _tell(notes, words.language, english, chinese)
    return words


def _taken(table: str, options: wordcloud.Options) -> wordcloud.Words:
    weights = wordcloud.read_table(table)
    spoken = options.language if options.language != "auto" else language.detect(" ".join(weights))
    return wordcloud.Words(weights, spoken, len(weights))


def _tell(notes: TextIO, spoken: str, english: str, chinese: str) -> None:
    print(english, file=notes)
    if spoken == "zh":
        print(chinese, file=notes)
