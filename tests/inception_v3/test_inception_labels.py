"""ImageNet's names from the two label maps or from a class index."""

import json

import pytest

from tf2cases.errors import UsageError
from tf2cases.inception_v3 import labels

MAP = 'entry {\n  target_class: 2\n  target_class_string: "n00000007"\n}\n'


def write(folder, label_map=MAP, human_map="n00000007\tcat, true cat\n"):
    (folder / labels.LABEL_MAP).write_text(label_map, encoding="utf-8")
    if human_map is not None:
        (folder / labels.HUMAN_MAP).write_text(human_map, encoding="utf-8")
    return str(folder / labels.LABEL_MAP)


def test_the_real_files(shared):
    path = str(shared / "data" / "inception" / labels.LABEL_MAP)
    nodes = labels.read_label_map(path)
    assert sorted(nodes) == list(range(1, 1001))
    assert nodes[449] == "n01440764"  # as the file says in its first entry
    names = labels.class_names(path, 1008)
    assert len(names) == 1008
    assert names[449] == "tench, Tinca tinca"
    assert names[169] == "giant panda, panda, panda bear, coon bear, Ailuropoda melanoleuca"
    assert [i for i, name in enumerate(names) if name.startswith("unused")] == [0, *range(1001, 1008)]
    # Keras' and Slim's order is that of the synsets, from the tench to the toilet roll.
    keras = labels.class_names(path, 1000)
    assert keras[0] == "tench, Tinca tinca"
    assert keras[388] == names[169]
    assert keras[999].startswith("toilet tissue")
    assert labels.class_names(path, 1001) == ["background", *keras]


@pytest.mark.parametrize(
    "text",
    [
        MAP,
        MAP.replace("\n", "\r\n"),
        "\ufeff# a comment\n" + MAP,
        'entry{target_class:2 target_class_string:"n00000007"}',
        "entry {\n\n  target_class_string : 'n00000007'  # the string first\n\ttarget_class\n : 2 }",
    ],
    ids=["plain", "crlf", "bom_and_comment", "one_line", "other_order"],
)
def test_every_way_to_write_an_entry(text, tmp_path):
    assert labels.read_label_map(write(tmp_path, text)) == {2: "n00000007"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MAP.replace("2", "two"), r"line 1: found 'entry \{', but expected entry \{ target_class: NODE "),
        (MAP + MAP.replace("target_class:", "target_klass:"), r"line 5: found 'entry \{', but expected entry"),
        (MAP.replace('"n00000007"', "n7x"), r"line 1: .* with a synset such as n01440764"),
        (MAP.replace('"n00000007"', '"n0000'), r"line 1: found 'entry \{', but expected entry"),
        (MAP.replace("target_class_string", "target_class"), r"line 1: found 'entry \{', but expected entry"),
        (MAP.replace(": 2", " 2"), r"line 1: found 'entry \{', but expected entry"),
        (MAP.replace("entry", "item"), r"line 1: found 'item \{', but expected entry"),
        (MAP + "\n" + MAP[:-2], r"line 6: found 'entry \{', but expected entry"),
        (MAP + MAP, r"line 5: node 2 occurs twice"),
        ("# nothing\n", r"has no entry"),
    ],
)
def test_a_malformed_label_map_is_named_with_its_line(text, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        labels.read_label_map(write(tmp_path, text))


@pytest.mark.parametrize("line", ["n00000007 cat", "cat\tn00000007", "n00000007\t", "\tcat"])
def test_a_malformed_human_map_is_named_with_its_line(line, tmp_path):
    path = write(tmp_path, human_map=f"n00000006\tdog\n\n{line}\n")
    with pytest.raises(UsageError, match=r"human_label_map.txt, line 3: found .* a synset, a tab and its name"):
        labels.class_names(path, 1008)


def test_a_synset_without_a_human_name_is_named(tmp_path):
    path = write(tmp_path, human_map="n00000006\tdog\n")
    with pytest.raises(UsageError, match=r"has the synset n00000007 for node 2, but imagenet_synset.* has no name"):
        labels.class_names(path, 1008)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"pbtxt: cannot be read \(No such file"):
        labels.class_names(str(tmp_path / labels.LABEL_MAP), 1008)
    with pytest.raises(UsageError, match=r"human_label_map.txt: cannot be read"):
        labels.class_names(write(tmp_path, human_map=None), 1008)


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    path = write(tmp_path)
    (tmp_path / labels.HUMAN_MAP).write_bytes(b"n00000007\tcaf\xe9\n")
    with pytest.raises(UsageError, match=r"human_label_map.txt: is not UTF-8 \(byte 13\)"):
        labels.class_names(path, 1008)


def test_a_map_of_too_few_classes_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has 1 classes, but must have 1,000"):
        labels.class_names(write(tmp_path), 1001)


def test_keras_class_index(tmp_path):
    path = tmp_path / "index.json"
    path.write_text(json.dumps({str(i): [f"n{i:08}", f"name_{i}"] for i in range(1000)}))
    assert labels.class_names(str(path), 1000)[:2] == ["name 0", "name 1"]
    assert labels.class_names(str(path), 1001)[:2] == ["background", "name 0"]
    with pytest.raises(UsageError, match=r"cannot name 1,008 classes: a class index is for as many as it has"):
        labels.class_names(str(path), 1008)


@pytest.mark.parametrize("text", ["{", '{"1": ["n1", "x"]}', '{"0": 3}', "[]x", '["a"]'])
def test_a_damaged_class_index_is_refused(text, tmp_path):
    path = tmp_path / "index.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"index.json is not a class index .*numbers from 0 without gaps"):
        labels.read_class_index(str(path))


def test_a_class_index_names_somebodys_own_classes(tmp_path):
    path = tmp_path / "index.json"
    path.write_text(json.dumps({"0": ["0", "rose"], "1": ["1", "tulip"]}))
    assert labels.class_names(str(path), 2) == ["rose", "tulip"]
    with pytest.raises(UsageError, match="cannot name 3 classes"):
        labels.class_names(str(path), 3)
