"""The names of ImageNet's classes, from the two label maps of 2015 or Keras' class index."""

import json
import os
import re

from tf2cases import files
from tf2cases.errors import UsageError

LABEL_MAP = "imagenet_2012_challenge_label_map_proto.pbtxt"
HUMAN_MAP = "imagenet_synset_to_human_label_map.txt"
CLASS_INDEX = "imagenet_class_index.json"
_CLASSES = 1000
_BACKGROUND = "background"
# A complete entry, with its two fields in any order; or else any other text in its place.
_ENTRY = re.compile(
    r"""entry\s*\{\s*((target_class\s*:\s*(?P<node>\d+)|target_class_string\s*:\s*["'](?P<synset>n\d+)["'])\s*){2}\}"""
    r"|\S.*"
)


def class_names(path: str, classes: int) -> list[str]:
    """The names of a network's outputs.

    Their number determines the order: 1,000 (Keras) are the synsets in ascending order, 1,001 (Slim) the same after a
    background class, and 1,008 (the graph of 2015) the nodes of the label map. Nodes without an entry, 0 and 1,001 to
    1,007, were never trained; they are called "unused 0" and so on.

    Args:
      path: a label map (.pbtxt), with the synsets' names in imagenet_synset_to_human_label_map.txt next to it, or a
        class index (.json).
      classes: number of outputs.

    Returns:
      [str].

    Raises:
      UsageError: a file is missing or malformed, or does not define the order of that many classes.
    """
    if path.endswith(".json"):
        names, by_node = read_class_index(path), None
    else:
        synsets = read_label_map(path)
        humans = read_human_map(os.path.join(os.path.dirname(path), HUMAN_MAP))
        for node, synset in synsets.items():
            if synset not in humans:
                raise UsageError(f"{path} has the synset {synset} for node {node}, but {HUMAN_MAP} has no name for it.")
        by_node = {node: humans[synset] for node, synset in synsets.items()}
        names = [humans[synset] for synset in sorted(synsets.values())]
    if classes in (_CLASSES, _CLASSES + 1) and len(names) != _CLASSES:
        raise UsageError(f"{path} has {len(names)} classes, but must have {_CLASSES:,}.")
    if classes == _CLASSES:
        return names
    if classes == _CLASSES + 1:
        return [_BACKGROUND, *names]
    if by_node is None and len(names) == classes:  # somebody's own classes
        return names
    if by_node is None or classes <= max(by_node):
        raise UsageError(
            f"{path} cannot name {classes:,} classes: a class index is for as many as it has, or 1,001, a label map "
            "for 1,000, 1,001 and 1,008."
        )
    return [by_node.get(node, f"unused {node}") for node in range(classes)]


def read_label_map(path: str) -> dict[int, str]:
    """Reads {node: synset} from a text protobuf of `entry { target_class: 449 target_class_string: "n01440764" }`.

    Raises:
      UsageError: the file is missing, not UTF-8, or malformed; the message names the line.
    """
    text, nodes = re.sub("#.*", "", _read(path)), {}
    for match in _ENTRY.finditer(text):
        line, node, synset = text.count("\n", 0, match.start()) + 1, match["node"], match["synset"]
        if not node or not synset or len(node) > 9:
            raise UsageError(
                f"{path}, line {line}: found {match[0][:40]!r}, but expected entry {{ target_class: NODE "
                'target_class_string: "SYNSET" }, with a synset such as n01440764.'
            )
        if int(node) in nodes:
            raise UsageError(f"{path}, line {line}: node {node} occurs twice.")
        nodes[int(node)] = synset
    if not nodes:
        raise UsageError(f"{path} has no entry, but must have one for each class.")
    return nodes


def read_human_map(path: str) -> dict[str, str]:
    """Reads {synset: name} from a file with lines like "n01440764<tab>tench, Tinca tinca".

    Raises:
      UsageError: the file is missing, not UTF-8, or malformed; the message names the line.
    """
    names = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        synset, tab, name = line.strip().partition("\t")
        if not line.strip():
            continue
        if not tab or not name.strip() or not re.fullmatch(r"n\d+", synset.strip()):
            raise UsageError(f"{path}, line {number}: found {line!r}, but expected a synset, a tab and its name.")
        names[synset.strip()] = name.strip()
    return names


def read_class_index(path: str) -> list[str]:
    """Reads the names, in the order of their numbers, from {"0": ["n01440764", "tench"], ...}.

    Raises:
      UsageError: the file is missing or malformed.
    """
    wanted = 'must be {"0": ["n01440764", "tench"], ...}, numbers from 0 without gaps.'
    text = _read(path)
    try:
        index = json.loads(text)
        return [index[str(number)][1].replace("_", " ") for number in range(len(index))]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is not a class index ({files.reason(error)}), but {wanted}") from error


def _read(path):
    try:
        return files.read_bytes(path, files.MAX_JSON).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({files.reason(error)}), but must be a label map.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 (byte {error.start:,}), but must be a text file.") from error
