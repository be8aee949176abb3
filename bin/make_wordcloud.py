"""Launcher of `tf2cases.programs.make_wordcloud`."""

from tf2cases.programs import make_wordcloud, program

if __name__ == "__main__":
    program.run(make_wordcloud)
