"""The CSV source."""

import json
import pathlib

import numpy as np
import pytest

from tf2cases.data import houses, source
from tf2cases.errors import UsageError

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data" / "houses"


def write(tmp_path, content):
    path = tmp_path / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_the_default_is_the_47_original_rows():
    loaded = houses.load()
    assert loaded.train["features"].shape == (47, 2)
    assert loaded.train["features"].dtype == loaded.train["targets"].dtype == np.float64
    np.testing.assert_array_equal(loaded.train["features"][0], [2104, 3])
    np.testing.assert_array_equal(loaded.train["targets"][[0, 46]], [399900, 239500])
    assert loaded.info["feature_names"] == ["square_feet", "bedrooms"]
    assert loaded.info["target_name"] == "price"
    # The original table's first row, normalized with the sample standard deviation.
    first = (np.array([2104, 3, 399900]) - loaded.info["mean"]) / loaded.info["std"]
    np.testing.assert_allclose(first, [0.130010, -0.223675, 0.475747], atol=5e-7)


def test_test_split_is_the_train_split():
    loaded = houses.load()
    for name, array in loaded.train.items():
        np.testing.assert_array_equal(array, loaded.test[name])


def test_info_survives_json():
    info = houses.load().info
    assert json.loads(json.dumps(info)) == info


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")
def test_headerless_original_has_the_same_rows():
    embedded, original = houses.load(), houses.load(str(SHARED / "data1.csv"))
    for name, array in embedded.train.items():
        np.testing.assert_array_equal(array, original.train[name])
    assert original.info["feature_names"] == ["column_0", "column_1"]
    assert original.info["target_name"] == "column_2"


ROWS = "1,10,100\n2,30,200\n4,20,600\n3,0,0\n"


@pytest.mark.parametrize(
    ("content", "options", "names", "first"),
    [
        ("a,b,c\n" + ROWS, {}, ["a", "b", "c"], [1, 10, 100]),
        ("a,b,c\n" + ROWS, {"target": "a"}, ["b", "c", "a"], [10, 100, 1]),
        ("a,b,c\n" + ROWS, {"target": "0", "features": "2"}, ["c", "a"], [100, 1]),
        ("a,b,c\n" + ROWS, {"features": "b, a"}, ["b", "a", "c"], [10, 1, 100]),
        ("2,1,0\n" + ROWS, {"header": "yes"}, ["2", "1", "0"], [1, 10, 100]),
        ("2,1,0\n" + ROWS, {"header": "yes", "target": "2"}, ["1", "0", "2"], [10, 100, 1]),
        ("7,7,7\n" + ROWS, {}, ["column_0", "column_1", "column_2"], [7, 7, 7]),
        ("7,7,7\n" + ROWS, {"header": "no", "features": "1"}, ["column_1", "column_2"], [7, 7]),
        ("\ufeffa,b,c\r\n" + ROWS.replace("\n", "\r\n"), {}, ["a", "b", "c"], [1, 10, 100]),
        ('"a","b, m2","c"\n"1", "10","1e2"\n\n' + ROWS, {}, ["a", "b, m2", "c"], [1, 10, 100]),
        ('a,"b, m2",c\n' + ROWS, {"features": '"b, m2"'}, ["b, m2", "c"], [10, 100]),
        ("a,street,c\n1,Elm,2\n3,Oak,5\n", {"features": "a"}, ["a", "c"], [1, 2]),
    ],
)
def test_columns(tmp_path, content, options, names, first):
    loaded = houses.load(write(tmp_path, content), **options)
    assert [*loaded.info["feature_names"], loaded.info["target_name"]] == names
    np.testing.assert_array_equal(loaded.train["features"][0], first[:-1])
    assert loaded.train["targets"][0] == first[-1]


def test_mean_and_sample_standard_deviation(tmp_path):
    # a: mean (1 + 2 + 4 + 3) / 4 = 2.5, squares 2.25 + 0.25 + 2.25 + 0.25 = 5, over 3.
    # c: mean 225, squares 125^2 + 25^2 + 375^2 + 225^2 = 207500, over 3.
    info = houses.load(write(tmp_path, "a,b,c\n" + ROWS), features="a").info
    np.testing.assert_allclose(info["mean"], [2.5, 225], rtol=1e-15)
    np.testing.assert_allclose(info["std"], [(5 / 3) ** 0.5, (207500 / 3) ** 0.5], rtol=1e-15)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, r"file.csv is empty: expected rows of numbers"),
        ("\n \n", {}, r"file.csv is empty"),
        (b"\xff\xfea\0,\0b\0", {}, r"file.csv is not text in UTF-8"),
        (b"a,b\n1,\xe9\n", {}, r"file.csv is not text in UTF-8"),
        (b"PK\x03\x04\0\0,\0", {}, r"file.csv is a binary file: expected a CSV file"),
        ('a,b\n1,"2\n', {}, r"file.csv, line 2 is not CSV \(.+\): expected fields"),
        ("1\n4\n", {}, r"file.csv has one column: expected at least a feature and a target"),
        ("1;2;3\n4;5;6\n", {}, r"file.csv has semicolons between its fields: expected commas, and points in numbers"),
        ("1,5;2,5\n4,0;5,0\n", {}, r"file.csv has semicolons between its fields"),
        ("a\tb\n4\t5\n", {}, r"file.csv has tabs between its fields"),
        ("1,N/A,3\n4,5,6\n7,8,9\n", {}, r"line 1, column 'column_1' is 'N/A': expected a number .*missing values must"),
        ("1,NULL,3\n4,5,6\n7,8,9\n", {}, r"line 1, column 'column_1' is 'NULL'"),
        ("Elm,1,2\nOak,3,5\n", {}, r"first row has numbers such as '1' and text such as 'Elm', .* --header=yes or"),
        ("2020-01-31,1,2\n2020-02-29,3,5\n", {}, r"text such as '2020-01-31', so it can be names or data"),
        ('a,b\n"1,234",2\n3,4\n', {}, r"column 'a' is '1,234': expected a number such as 1234\.5, without separators"),
        ("a,b\nTRUE,2\n3,4\n", {}, r"column 'a' is 'TRUE': expected a number"),
        ("a,b\n5%,2\n3,4\n", {}, r"column 'a' is '5%': expected a number"),
        ("a,b,c\n" + ROWS, {"target": "d"}, r"--target: .* no column 'd': expected one of a, b, c,"),
        ("a,b,c\n" + ROWS, {"target": "3"}, r"no column '3': .* or a number from 0 to 2"),
        ("a,b,c\n" + ROWS, {"target": "-1"}, r"no column '-1'"),
        ("a,b,c\n" + ROWS, {"features": "a,"}, r"--features: .* no column '': expected one of"),
        ("a,b,c\n" + ROWS, {"features": " "}, r"--features: .* no column ''"),
        ("a,a,c\n" + ROWS, {"features": "a"}, r"2 columns of .* are called 'a': expected a number"),
        ("a,b,c\n" + ROWS, {"features": "a,c"}, r"--features=a,c includes the target 'c'"),
        ("a,b,c\n" + ROWS, {"features": "0,a"}, r"--features=0,a names a column twice"),
        ("a,b,c\n" + ROWS, {"header": "maybe"}, r"--header is 'maybe', but must be one of auto"),
        ("a,b,c\n1,2,3\n4,x5,6\n7,8,9\n", {}, r"line 3, column 'b' is 'x5': expected a number"),
        ("1,2,3\n4,,6\n7,8,9\n", {}, r"line 2, column 'column_1' is '': expected a number"),
        ("1,,3\n4,5,6\n7,8,9\n", {}, r"line 1, column 'column_1' is '': expected a number"),
        ("a,b,c\n" + ROWS, {"header": "no"}, r"line 1, column 'column_0' is 'a'"),
        ("1,2\nnan,5\n7,8\n", {}, r"line 2, column 'column_0' is 'nan': expected a finite number"),
        ("1,2\n3,-inf\n7,8\n", {}, r"line 2, column 'column_1' is '-inf': expected a finite"),
        ("1,2\n3,1e39\n7,8\n", {}, r"'1e39': expected a finite number that float32 can hold"),
        ("a,b\n1,2\n\n3\n7,8\n", {}, r"line 4 has 1 fields: expected 2, as in the first row"),
        ("a,b\n1,2\n3,4,5\n", {}, r"line 3 has 3 fields: expected 2"),
        ("a,b\n5,2\n5,4\n5,8\n", {}, r"column 'a' is 5 in every row, .*cannot be normalised"),
        ("a,b\n1,5\n2,5\n3,5\n", {}, r"column 'b' is 5 in every row"),
        ("a,b,c\n1,2,3\n4,5,7\n", {}, r"2 rows of numbers: expected at least 3 for 2 features"),
        ("a,b\n", {}, r"has 0 rows of numbers: expected at least 2 for 1 features"),
    ],
)
def test_refuses_with_one_sentence(tmp_path, content, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        houses.load(write(tmp_path, content), **options)
    assert "\n" not in str(caught.value)


def test_columns_that_differ_only_in_float64_are_kept(tmp_path):
    loaded = houses.load(write(tmp_path, "16777216,1\n16777217,2\n"))
    assert loaded.train["features"][:, 0].tolist() == [16777216, 16777217]
    times = [1_700_000_000_000 + 1000 * i for i in range(5)]  # milliseconds since 1970
    loaded = houses.load(write(tmp_path, "".join(f"{time},{i * i}\n" for i, time in enumerate(times))))
    normalised = (loaded.train["features"][:, 0] - loaded.info["mean"][0]) / loaded.info["std"][0]
    np.testing.assert_allclose(normalised, np.array([-2, -1, 0, 1, 2]) / 2.5**0.5, atol=1e-9)


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
@pytest.mark.parametrize("index", [[0, 1, 2, 3], [7, 3, 9, 1], ["x", "y", "z", "w"]])
def test_an_index_without_a_name_is_no_feature(name, index, tmp_path, capsys):
    rows = zip(index, ROWS.splitlines(), strict=True)
    path = write(tmp_path, f"{name},a,b,c\n" + "".join(f"{i},{row}\n" for i, row in rows))
    loaded = houses.load(path)
    assert loaded.info["feature_names"] == ["a", "b"]
    out = capsys.readouterr().out
    assert out == (
        f"--csv={path}: the first column has no name, so it is left out as the index of the rows; --features=0,1,2 "
        "takes it as a feature.\n"
    )
    if index[0] != "x":
        assert houses.load(path, features="0,1,2").train["features"].shape == (4, 3)
        assert houses.load(path, target="0").info["target_name"] == name
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("header", ["a,b,c,\n", ""])
def test_a_comma_at_the_end_of_every_line_is_no_column(header, tmp_path):
    loaded = houses.load(write(tmp_path, header + ROWS.replace("\n", ",\n")))
    assert loaded.train["features"].shape == (4, 2)
    np.testing.assert_array_equal(loaded.train["targets"], [100, 200, 600, 0])


def test_as_many_rows_as_features_and_one_is_enough(tmp_path):
    assert len(houses.load(write(tmp_path, "1,2,3\n4,5,7\n6,9,8\n")).train["targets"]) == 3


def test_names_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match=r"--csv=.*none\.csv does not exist: expected a CSV file"):
        houses.load(str(tmp_path / "none.csv"))


def test_names_an_unreadable_file(tmp_path):
    with pytest.raises(UsageError, match=r"--csv=.* cannot be read \(Is a directory\)"):
        houses.load(str(tmp_path))


def test_a_missing_default_is_named_with_its_place(monkeypatch):
    monkeypatch.setattr(source.importlib.resources, "files", lambda name: f"/nowhere/{name}")
    with pytest.raises(UsageError, match=r"testdata/houses.csv is not at /nowhere"):
        houses.load()
