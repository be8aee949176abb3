"""Launcher of `tf2cases.programs.make_wordcloud`."""

from tf2cases.programs import common, make_wordcloud

if __name__ == "__main__":
    common.run(make_wordcloud.__doc__, make_wordcloud.define, make_wordcloud.main)
