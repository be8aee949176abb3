"""A flag that would have no effect is refused with the reason, in every program."""

import re
import types

import pytest
from absl import flags
from program_call import exit_status

from tf2cases.configs import autoencoder, captcha, dcgan, linear_regression, mnist, retrain
from tf2cases.errors import UsageError
from tf2cases.programs import (
    benchmark,
    case_programs,
    classify_image,
    evaluate,
    inception_programs,
    make_wordcloud,
    train_mnist,
)

IGNORED = [
    (mnist, {"dataset": "mnist_sample", "data_dir": "x"}, r"--data_dir is 'x', .* with --dataset=mnist_sample, which"),
    (linear_regression, {"data_dir": "x"}, r"--data_dir is 'x', but has no effect with --dataset=houses"),
    (linear_regression, {"header": "yes"}, r"--header is 'yes', but has no effect with no --csv, since the embedded"),
    (mnist, {"export_dir": "", "publish_as": "m"}, r"--publish_as is 'm', .* with an empty --export_dir"),
    (mnist, {"export_dir": "", "no_warmup": True}, r"--no_warmup is True, .* with an empty --export_dir"),
    (mnist, {"model": "mlp", "dropout": False}, r"--dropout is False, but has no effect with --model=mlp"),
    (captcha, {"test_part": "held_out"}, r"--test_part is 'held_out', but has no effect with no --test_dir"),
    (captcha, {"test_dir": "x", "test_count": 9}, r"--test_count is 9, but has no effect with --test_dir"),
    (captcha, {"data_dir": "x", "test_count": 9}, r"--test_count is 9, but has no effect with --data_dir"),
    (captcha, {"data_dir": "x", "workers": 9}, r"--workers is 9, but has no effect with --data_dir and no --train_"),
    (captcha, {"data_dir": "x", "cache_dir": "y"}, r"--cache_dir is 'y', but has no effect"),
    (captcha, {"max_bad_images": 9}, r"--max_bad_images is 9, but has no effect with neither --data_dir nor"),
    (autoencoder, {"cache_dir": "y"}, r"--cache_dir is 'y', but has no effect with --dataset=mnist"),
    (autoencoder, {"dataset": "mnist_sample", "max_bad_images": 1}, r"--max_bad_images is 1, but has no effect"),
    (dcgan, {"crop": "100"}, r"--crop is '100', but has no effect with --dataset=mnist"),
    (dcgan, {"dataset": "toy_faces", "crop": "100"}, r"--crop is '100', .* whose pictures are drawn: leave it out"),
    (dcgan, {"dataset": "toy_faces", "data_dir": "x"}, r"--data_dir is 'x', but has no effect"),
    (retrain, {"data_dir": "x", "weights": "random", "weights_dir": "y"}, r"--weights_dir is 'y', .* --weights=random"),
]


@pytest.mark.parametrize(("module", "given", "message"), IGNORED)
def test_an_option_of_a_case_without_effect_is_refused(module, given, message):
    with pytest.raises(UsageError, match=message):
        module.Config.resolve(given).check_used(given)


@pytest.mark.parametrize(
    ("module", "given"),
    [
        (mnist, {"dataset": "mnist_sample", "data_dir": "data"}),  # the default changes nothing
        (mnist, {"data_dir": "x"}),
        (linear_regression, {"csv": "x", "header": "yes"}),
        (mnist, {"dropout": False}),
        (mnist, {"recipe": "best", "model": "mlp"}),
        (captcha, {"data_dir": "x", "train_count": 5, "workers": 9, "cache_dir": "y"}),
        (captcha, {"test_dir": "x", "test_part": "held_out", "max_bad_images": 1}),
        (autoencoder, {"dataset": "folder", "data_dir": "x", "cache_dir": "y", "max_bad_images": 1}),
        (dcgan, {"dataset": "celeba", "crop": "100", "cache_dir": "y"}),
        (dcgan, {"dataset": "toy_faces", "cache_dir": "y"}),
        (retrain, {"data_dir": "x", "weights_dir": "y"}),
    ],
)
def test_options_with_an_effect_are_accepted(module, given):
    config = module.Config.resolve(given)
    config.check_used(given)
    assert {name: getattr(config, name) for name in given} == given


@pytest.mark.parametrize(
    ("config", "given", "message"),
    [
        (
            mnist.Config(dataset="mnist_sample"),
            ["--data_dir=/nonexist"],
            r"--data_dir is '/nonexist', but has no effect",
        ),
        (linear_regression.Config(), ["--data_dir=x"], r"--data_dir is 'x', but has no effect with --dataset=houses"),
        (captcha.Config(), ["--data_dir=x", "--test_dir=y"], r"--data_dir is 'x', but has no effect with --test_dir"),
        (mnist.Config(), ["--test_dir=x"], r"--test_dir is 'x', but the case mnist has no such option"),
    ],
)
def test_evaluate_refuses_a_folder_that_is_not_read(config, given, message, monkeypatch, capsys):
    monkeypatch.setattr(case_programs, "restore", lambda values: types.SimpleNamespace(config=config))
    assert exit_status(evaluate, "--workdir=run", *given) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--model=x", "--labels=numbers"], "--labels is 'numbers', but has no effect with --model"),
        (["--model=x", "--weights_dir=y"], "--weights_dir is 'y', but has no effect with --model"),
        (["--engine=graph", "--batch_size=4"], "--batch_size is 4, but has no effect with --engine=graph"),
    ],
)
def test_classify_image_refuses_flags_of_another_engine(given, message, capsys):
    assert exit_status(classify_image, *given, "photo.jpg") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["training", "--cases="], "--cases has '', but must be one or more of mnist_mlp"),
        (["gpu", "--cases="], "--cases has '', but must be one or more of dcgan_faces"),
        (["inference", "--batch_sizes="], "--batch_sizes is '', but must be integers from 1 to 99,999"),
        (["inference", "--batch_sizes=1,0"], "--batch_sizes is '1,0', but must be integers"),
        (["inference", "--batch_sizes=999999999999"], "but must be integers from 1 to 99,999"),
    ],
)
def test_a_benchmark_that_would_measure_nothing_is_refused(given, message, capsys):
    assert exit_status(benchmark, *given) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--labels=numbers", "--top_k=3"])
def test_weights_without_classes_have_only_features(flag):
    values = flags.FlagValues()
    classify_image.define(values)
    values(["classify_image", flag])
    with pytest.raises(
        UsageError, match=r"but notop\.h5 has no classes, so that only features can be had: leave it out"
    ):
        inception_programs.class_names(values, 0, "notop.h5")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--frequencies=w.csv", "--min_word_length=3"], "--min_word_length is 3, but has no effect with a table"),
        (["--frequencies=w.csv", "--add_words=a"], "--add_words is ['a'], but has no effect with a table"),
        (["--text=t.txt", "--weights=tfidf", "--collocations"], "--collocations is True, .* --weights=tfidf"),
        (["--text=t.txt", "--preset=keywords", "--nosegment"], "--segment is False, but has no effect with --weights"),
        (["--text=t.txt", "--outline_color=red"], "--outline_color is 'red', but has no effect with no --outline"),
    ],
)
def test_word_clouds_refuse_flags_without_effect(given, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert exit_status(make_wordcloud, *given) == 2
    assert re.search(message.replace("[", r"\["), capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nodeterministic=1"], "--nodeterministic=1 does not take an argument: expected --deterministic or --nodet"),
        (["--nodebug="], "--nodebug= does not take an argument: expected --debug or --nodebug."),
        (["--undefok=abc", "--abc=3"], "--undefok is not a flag of this program"),
        (["--undefok", "abc"], "--undefok is not a flag of this program"),
        (["--flagfile=/nonexist"], "Unable to open flagfile"),
    ],
)
def test_what_absl_raises_or_ignores_is_one_sentence(words, message, capsys):
    assert exit_status(train_mnist, *words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1
