"""Words that say little about a text and are left out of its cloud."""

import unicodedata

from tf2cases.wordcloud import reading

# What the English list of the wordcloud package lacks.
_ENGLISH = """
    aboard across almost along already although always among another anybody anyone anything around away back became
    become becomes behind beside besides beyond came come comes does done either enough especially even every
    everybody everyone everything far gave get gets getting give given gives go goes going gone got half hardly indeed
    instead keep kept know known knows least less let lets made make makes making many may maybe might mine moreover
    much must near nearly need neither never nevertheless next nobody none nothing now nowhere often one onto others
    perhaps put puts quite rather really right said say saying says see seem seemed seems seen several shan shown
    since someone something sometimes somewhere soon still take taken takes tell than thing things think though thus
    till together told took toward towards two unless unto upon us use used uses using usually want wanted wants way
    well went whatever whenever wherever whether whoever whose will within without yes yet
"""

# Function words of modern Chinese, and of the vernacular of the old novels.
_CHINESE = """
    的 了 是 在 我 你 他 她 它 们 这 那 有 也 都 就 和 与 及 或 而 但 又 还 很 不 没 无 把 被 让 向 往 从 到 对 于 以
    为 因 所 之 其 此 个 些 着 过 得 地 吗 呢 吧 啊 呀 哩 么 嘛 罢 去 来 上 下 里 中 时 要 会 能 可 说 道 曰 只 才 再
    更 最 却 便 将 若 如 则 乃 者 矣 焉 乎 哉 兮 某 每 各 该 谁 啥 何 咱 俺 您 几 多 一 二 三 两 即 至 由 比 当 同 给
    使 叫 做 好 看 见 自 已 曾 并 且 虽 後 個 們 這 來 說 時 為 與 沒 我们 你们 他们 她们 它们 咱们 自己 自家 别人
    他人 大家 我的 你的 他的 她的 它的 这个 那个 这些 那些 这里 那里 这儿 那儿 这边 那边 这样 那样 这般 那般 这么 那么
    这种 那种 此处 此间 此时 什么 甚么 怎么 怎样 怎生 怎的 如何 为何 为什么 何处 何时 哪个 哪些 哪里 哪儿 多少 几个
    有何 一个 两个 三个 一个个 个个 一些 一点 一下 一样 一般 一起 一齐 一直 一时 一声 一日 一定 一切 一面 一种 一次
    一位 一座 一把 一条 一只 一口 一根 一件 一场 一遍 一则 二人 有些 有的 有个 有人 有时 某些 某个 每个 各个 各自 许多
    几乎 十分 非常 特别 不是 不能 不要 不得 不敢 不曾 不见 不好 不可 不住 不知 不觉 不肯 不尽 不同 不再 不但 不仅 不过
    不如 不断 不必 不管 不论 不期 不题 没有 未曾 未必 并不 并非 也不 就是 只是 却是 乃是 正是 便是 还是 真是 总是 或是
    又是 也是 都是 是否 可是 但是 而是 若是 要是 于是 只有 只要 只得 只管 只见 只怕 还有 还要 所有 具有 如有 因为 因此
    因而 所以 故此 由于 为了 为着 以及 以便 以为 以前 以后 以来 以上 以下 之前 之后 之间 之下 之中 之内 其中 其他 其它
    其实 其次 此外 另外 同时 然后 然而 而且 并且 或者 如果 假如 倘若 虽然 即使 尽管 除了 关于 对于 至于 由此 从此 及其
    甚至 直到 无论 何况 况且 否则 不然 反而 仍然 已经 曾经 正在 将要 刚才 方才 现在 当时 如今 今日 明日 后来 原来 本来
    忽然 果然 毕竟 究竟 到底 罢了 也罢 终于 常常 经常 往往 必须 应该 应当 需要 可以 可能 能够 知道 晓得 认得 觉得 使得
    只能 就要 真个 真的 的话 似的 好像 似乎 例如 比如 首先 再说 却说 且说 话说 闻言 忽见 听说 听见 看见 看时 看处 看看
    见得 叫做 问道 笑道 喝道 说道 答道 出来 出去 进来 进去 上来 上去 下来 下去 回来 回去 过来 过去 起来 里面 外面 上面
    下面 前面 后面 中间 左右 进行 通过 作为 成为 时候 方面 如此 故而 呜呼 我們 你們 他們 她們 這個 那個 這些 這裡 那裡
    這樣 那樣 什麼 甚麼 怎麼 沒有 還有 還是 因為 為了 為何 時候 起來 出來 已經 應該 雖然
"""


def chosen(path: str | None, own: bool) -> frozenset[str]:
    """The stop words in force, in lower case, whatever the language: Chinese texts have English words in them.

    Args:
      path: a person's list, one word a line ('#' starts a comment), or None.
      own: whether to add this package's lists to the English list of the wordcloud package, which always holds.

    Raises:
      UsageError: the file cannot be read, or is no text.
    """
    import wordcloud

    words = set(wordcloud.STOPWORDS)
    if own:
        words.update(_ENGLISH.split(), _CHINESE.split())
    if path:
        with reading.opened(path, "--stopwords") as text:
            lines = (line.split("#")[0].strip() for line in text.all().splitlines())
            words.update(unicodedata.normalize("NFC", line) for line in lines if line)
    return frozenset(word.lower() for word in words)
