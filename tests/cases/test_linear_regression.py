"""Case 1, house prices: the original numbers, the gradient, other tables."""

import contextlib
import io
import os
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf2cases import cases, training, viz
from tf2cases.cases import LinearRegression
from tf2cases.data import sources


def train(workdir, **given):
    """Trains, and returns (the result, what was printed)."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        result = training.train(LinearRegression, LinearRegression.Config.resolve({"workdir": str(workdir), **given}))
    return result, printed.getvalue()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return train(tmp_path_factory.mktemp("houses"))


@pytest.fixture(scope="module")
def rows(repo):
    """float64 [47, 3], normalised: the file read by NumPy."""
    table = np.loadtxt(repo / "testdata" / "houses.csv", delimiter=",", skiprows=1)
    return (table - table.mean(axis=0)) / table.std(axis=0, ddof=1)


def written_csv(path, columns, names):
    np.savetxt(path, np.column_stack(columns), delimiter=",", header=",".join(names), comments="")
    return str(path)


# The original table


@pytest.mark.parametrize(
    ("epoch", "loss", "size", "bedrooms"),
    [
        (10, "0.4116", "0.0791", "0.03948"),
        (20, "0.353", "0.1489", "0.07135"),
        (50, "0.2489", "0.3142", "0.1321"),
        (90, "0.1908", "0.4626", "0.1607"),
        (420, "0.1332", "0.8076", "0.02271"),
    ],
)
def test_the_printed_table_is_the_original_one_to_the_digit(original, epoch, loss, size, bedrooms):
    pattern = rf"^Epoch {epoch} \t Loss={loss} \t Model: y = {size}x1 \+ {bedrooms}x2 \+ (\S+)$"
    assert abs(float(re.search(pattern, original[1], re.MULTILINE)[1])) < 1e-7


def test_the_last_line_is_the_original_one_within_the_rounding_edge(original):
    pattern = r"^Epoch 500 \t Loss=0\.132 \t Model: y = 0\.8304x1 \+ (\S+)x2 \+ \S+$"
    assert float(re.search(pattern, original[1], re.MULTILINE)[1]) == pytest.approx(0.0008239, abs=2e-7)


def test_every_tenth_epoch_is_printed_and_nothing_else_of_the_kind(original):
    lines = [line for line in original[1].splitlines() if line.startswith(("Epoch", "step"))]
    assert [int(line.split()[1]) for line in lines] == list(range(10, 501, 10))


def test_the_first_five_normalised_rows_are_printed_as_a_table(original, rows):
    lines = original[1].splitlines()
    assert lines[0].split() == ["ones", "square_feet", "bedrooms", "price"]
    assert lines[1].split() == ["0", "1.000000", "0.130010", "-0.223675", "0.475747"]
    printed = np.array([line.split() for line in lines[1:6]], float)
    np.testing.assert_array_equal(printed[:, 0], range(5))
    np.testing.assert_allclose(printed[:, 2:], rows[:5], atol=5.1e-7)
    assert not re.match(r"5 ", lines[6])


def test_the_closed_form_stands_beside_it(original, rows):
    x, y = np.column_stack([np.ones(47), rows[:, :2]]), rows[:, 2]
    exact = np.linalg.lstsq(x, y, rcond=None)[0]
    loss = np.sum((x @ exact - y) ** 2) / 94
    pattern = (
        r"^Gradient descent: loss (\S+), y = (\S+)x1 \+ (\S+)x2 [+-] \S+\n"
        r"Closed form:      loss (\S+), y = (\S+)x1 (- \S+)x2 [+-] \S+$"
    )
    found = [float(v.replace("- ", "-")) for v in re.search(pattern, original[1], re.MULTILINE).groups()]
    np.testing.assert_allclose(found[3:], [loss, exact[1], exact[2]], rtol=1e-4)
    np.testing.assert_allclose(found[:2], [0.132036, 0.8304], rtol=1e-3)


def test_the_last_lines_subtract_a_negative_term_but_the_table_keeps_its_printed_form(original, tmp_path):
    # The weights of the closed form are 0.8848 and -0.05318 (see the test above).
    assert re.search(r"^Closed form: .* y = 0\.8848x1 - 0\.05318x2 [+-] \S+$", original[1], re.MULTILINE)
    printed = train(tmp_path, epochs=600, learning_rate=0.3, eval_every=600, checkpoint_every=0)[1]
    assert re.search(r"^Epoch 600 .* Model: y = 0\.8848x1 \+ -0\.05318x2 \+ \S+$", printed, re.MULTILINE)
    assert re.search(r"^Gradient descent: .* y = 0\.8848x1 - 0\.05318x2 [+-] \S+$", printed, re.MULTILINE)


def test_a_long_descent_arrives_at_the_closed_form(tmp_path, rows):
    result, _ = train(tmp_path, epochs=800, learning_rate=0.3, eval_every=800, log_every=800, checkpoint_every=0)
    x = np.column_stack([np.ones(47), rows[:, :2]])
    exact = np.linalg.lstsq(x, rows[:, 2], rcond=None)[0]
    np.testing.assert_allclose([result.values[k] for k in ("bias", "w1", "w2")], exact, atol=1e-5)


# One step


def test_three_steps_follow_the_gradient_worked_out_by_hand(rows):
    source = sources.load("houses")
    case = LinearRegression(LinearRegression.Config(learning_rate=0.05).with_examples(47), source.info)
    batch = {name: tf.constant(array) for name, array in source.train.items()}
    x, y = np.column_stack([np.ones(47), rows[:, :2]]), rows[:, 2]
    weights = np.zeros(3)
    for _ in range(3):
        loss = case.train_step(batch)["loss"]
        gradient = np.array([np.mean((x @ weights - y) * x[:, j]) for j in range(3)])
        weights = weights - 0.05 * gradient
        np.testing.assert_allclose(case.weights.numpy()[:, 0], weights, atol=1e-7)
        # Reported after the update.
        np.testing.assert_allclose(loss, np.sum((x @ weights - y) ** 2) / 94, rtol=1e-6)


def test_the_weights_start_at_zero():
    source = sources.load("houses")
    case = LinearRegression(LinearRegression.Config().with_examples(47), source.info)
    assert case.weights.numpy().tolist() == [[0.0], [0.0], [0.0]]
    assert case.weights.dtype == tf.float32


# What a run leaves


def test_pictures_of_the_data_before_and_after_and_of_the_loss(original):
    folder = os.path.join(original[0].workdir, "pictures")
    expected = ["curves.png", "price_against_square_feet.png", "scatter_3d.png", "scatter_3d_normalised.png"]
    assert sorted(os.listdir(folder)) == expected
    for name in expected:
        with Image.open(os.path.join(folder, name)) as picture:
            assert min(picture.size) >= 200
            assert len(picture.convert("L").getcolors(256)) > 5


def test_the_planes_in_the_3d_pictures_are_the_model(original, rows, repo, monkeypatch):
    planes = {}

    def draw(x, y, z, labels, title, plane):
        planes[title.split(",")[0]] = np.array(plane)
        return np.zeros([2, 2, 3], np.uint8)

    monkeypatch.setattr("tf2cases.viz.scatter_3d", draw)
    case = original[0].case
    case.pictures(sources.load("houses"))
    table = np.loadtxt(repo / "testdata" / "houses.csv", delimiter=",", skiprows=1)
    prices = case.signatures()["serving_default"](tf.constant(table[:, :2], tf.float32))["price"]
    ones = np.ones([47, 1])
    np.testing.assert_allclose(np.hstack([table[:, :2], ones]) @ planes["As measured"], prices, rtol=1e-5)
    expected = (prices - table[:, 2].mean()) / table[:, 2].std(ddof=1)
    np.testing.assert_allclose(np.hstack([rows[:, :2], ones]) @ planes["Normalized"], expected, atol=1e-5)


def test_the_curves_leave_out_the_bias_whose_values_are_rounding_noise():
    loss = [{"step": s, "split": "eval", "values": {"loss": 1 / s, "w1": s}} for s in (10, 20, 30)]
    reported = [r | {"values": r["values"] | {"bias": 1e-9 * r["step"]}} for r in loss]
    source = sources.load("houses")
    case = LinearRegression(LinearRegression.Config().with_examples(47), source.info)
    np.testing.assert_array_equal(case.curves(reported)["curves"], viz.training_curves(loss))


def test_the_graph_in_tensorboard_has_the_original_scopes(original):
    scopes = set()
    folder = os.path.join(original[0].workdir, "tensorboard")
    for name in os.listdir(folder):
        for record in tf.data.TFRecordDataset(os.path.join(folder, name)):
            graph = tf.compat.v1.GraphDef.FromString(tf.compat.v1.Event.FromString(record.numpy()).graph_def)
            scopes |= {node.name.split("/")[0] for node in graph.node}
    assert {"input", "hypothesis", "loss", "train"} <= scopes


def test_the_signature_answers_in_square_feet_bedrooms_and_dollars(original, repo):
    case = original[0].case
    table = np.loadtxt(repo / "testdata" / "houses.csv", delimiter=",", skiprows=1)
    mean, std = table.mean(axis=0), table.std(axis=0, ddof=1)
    asked = np.array([[2104, 3], [852, 2], [3000, 4]])
    weights = case.weights.numpy()[:, 0]
    expected = ((asked - mean[:2]) / std[:2] @ weights[1:] + weights[0]) * std[2] + mean[2]
    answer = case.signatures()["serving_default"](tf.constant(asked, tf.float32))
    assert list(answer) == ["price"]
    assert answer["price"].dtype == tf.float32
    np.testing.assert_allclose(answer["price"], expected, rtol=1e-6)
    assert expected[2] == pytest.approx(450000, rel=0.1)


# Other tables


def test_one_feature_from_a_csv_without_a_header(tmp_path):
    rng = np.random.RandomState(0)
    size = rng.uniform(50, 200, 30)
    path = tmp_path / "flats.csv"
    np.savetxt(path, np.column_stack([size, 3 * size + 10]), delimiter=",")
    result, printed = train(tmp_path / "run", csv=str(path), epochs=400, learning_rate=0.1)
    line = printed.splitlines()[1 + 5 + 1]
    assert re.fullmatch(r"Epoch 10 \t Loss=\S+ \t Model: y = \S+x1 \+ \S+", line)
    assert result.values["w1"] == pytest.approx(1.0, abs=1e-5)
    answer = result.case.signatures()["serving_default"](tf.constant([[100.0]]))
    np.testing.assert_allclose(answer["price"], [310.0], rtol=1e-5)
    assert sorted(os.listdir(tmp_path / "run" / "pictures")) == ["column_1_against_column_0.png", "curves.png"]


def test_three_features_by_name_from_a_csv_whose_names_are_no_file_names(tmp_path):
    rng = np.random.RandomState(1)
    a, b, c, unused = rng.normal(size=[4, 40])
    names = ["size/m2", "价格", "../rooms", "other", "age of house"]
    target = 2 * a - 3 * b + 0.5 * c + 7
    path = written_csv(tmp_path / "table.csv", [a, target, b, unused, c], names)
    features = "size/m2,../rooms,age of house"
    result, printed = train(
        tmp_path / "run", csv=path, features=features, target="价格", epochs=300, learning_rate=0.2, eval_every=300
    )
    assert re.search(r"^Epoch 300 \t Loss=\S+ \t Model: y = \S+x1 \+ \S+x2 \+ \S+x3 \+ \S+$", printed, re.MULTILINE)
    answer = result.case.signatures()["serving_default"](tf.constant([[1.0, 1.0, 1.0], [0.0, 2.0, 0.0]]))
    np.testing.assert_allclose(answer["price"], [6.5, 1.0], atol=1e-3)
    drawn = sorted(os.listdir(tmp_path / "run" / "pictures"))
    assert drawn == ["curves.png", "scatter_3d.png", "scatter_3d_normalised.png", "价格_against_size_m2.png"]
    again = cases.restore(result.workdir)
    np.testing.assert_array_equal(again.weights, result.case.weights)


def test_batches_visit_the_rows_in_their_own_order(tmp_path):
    result, printed = train(tmp_path, batch_size=10, epochs=2)
    assert result.step == 10  # 9.4
    assert "47 examples, 10 steps of 10" in printed


def test_evaluation_is_over_all_rows_whatever_the_batches():
    source = sources.load("houses")
    case = LinearRegression(LinearRegression.Config().with_examples(47), source.info)
    case.weights.assign([[0.1], [0.5], [0.2]])
    whole = case.evaluate([source.train])
    parts = case.evaluate([{k: a[i : i + 20] for k, a in source.train.items()} for i in (0, 20, 40)])
    assert parts == pytest.approx(whole, rel=1e-6)
    assert whole["bias"] == pytest.approx(0.1)
