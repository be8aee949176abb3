"""English and Chinese word clouds of texts: weighing words, and drawing them as a picture. No TensorFlow."""

from tf2cases.wordcloud.cloud import Cloud, draw
from tf2cases.wordcloud.options import PRESETS, Options, make_options
from tf2cases.wordcloud.reading import opened
from tf2cases.wordcloud.tables import read_table, write_table
from tf2cases.wordcloud.weighing import Words, weigh
