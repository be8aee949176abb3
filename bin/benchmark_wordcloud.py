"""Launcher of `tf2cases.benchmarks.wordcloud`."""

from tf2cases.benchmarks import wordcloud
from tf2cases.programs import common

if __name__ == "__main__":
    common.run(wordcloud.__doc__, wordcloud.define, wordcloud.main)
