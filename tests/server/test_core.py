"""Models, versions, labels, configs and warm-up of a running server."""

import asyncio
import os
import shutil
import threading

import grpc
import models
import numpy as np
import pytest
import tensorflow as tf
from running import serving
from tensorflow_serving.apis import model_management_pb2, prediction_log_pb2

from tf2cases.errors import RunError
from tf2cases.server.core import Core
from tf2cases.server.options import CoreOptions
from tf2cases.server.warmup import PATH as WARMUP

X = {"x": np.float32([2])}
POLL = 0.05  # seconds


def y(server, name="default", **spec):
    """The answer for x = 2, and the version that gave it."""
    answer = server.predict(X, name, **spec)
    return answer.outputs["y"].float_val[0], answer.model_spec.version.value


def refusal(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def config(*entries):
    """A models config: (name, base path, further text) for each model."""
    text = "".join(
        f"config {{ name: '{name}' base_path: '{path}' model_platform: 'tensorflow' {more} }}\n"
        for name, path, more in entries
    )
    return f"model_config_list {{ {text} }}"


@pytest.fixture
def base(half_plus_two, tmp_path):
    """A base path with version 1 of half_plus_two."""
    models.add_version(half_plus_two, str(tmp_path / "base"), 1)
    return str(tmp_path / "base")


def test_a_new_version_takes_over_and_the_old_one_ends(base, half_plus_three):
    with serving(base_path=base, poll_seconds=POLL) as server:
        assert y(server) == (3, 1)
        models.add_version(half_plus_three, base, 2)
        server.wait(lambda: server.states() == {2: "AVAILABLE", 1: "END"})
        assert y(server) == (4, 2)
        assert refusal(lambda: y(server, version=1))[0] == "NOT_FOUND"
        shutil.rmtree(os.path.join(base, "2"))  # back to the old one
        server.wait(lambda: server.states() == {2: "END", 1: "AVAILABLE"})
        assert y(server) == (3, 1)


def test_version_0_is_the_newest_unless_it_exists(base, half_plus_three):
    with serving(base_path=base, poll_seconds=POLL) as server:
        assert y(server, version=0) == (3, 1)
        models.add_version(half_plus_three, base, 0)
        # The newest version is 1, so 0 is not loaded, and still means the newest.
        assert y(server, version=0) == (3, 1)
        shutil.rmtree(os.path.join(base, "1"))
        server.wait(lambda: server.states() == {1: "END", 0: "AVAILABLE"})
        assert y(server, version=0) == (4, 0)


def test_without_polling_nothing_changes(base, half_plus_three):
    with serving(base_path=base, poll_seconds=0) as server:
        models.add_version(half_plus_three, base, 2)
        threading.Event().wait(0.3)
        assert server.states() == {1: "AVAILABLE"}
        assert y(server) == (3, 1)


def test_polling_has_ended_when_the_core_is_closed(tmp_path):
    async def run():
        core = Core(CoreOptions(base_path=str(tmp_path), poll_seconds=0.001))
        await core.start()
        await asyncio.sleep(0.05)
        before = asyncio.all_tasks() - {asyncio.current_task()}
        await core.close()
        return before, asyncio.all_tasks() - {asyncio.current_task()}

    before, after = asyncio.run(run())
    assert (len(before), after) == (1, set())


def test_a_request_keeps_its_version_until_it_is_answered(zoo, tmp_path):
    models.add_version(zoo, str(tmp_path), 1)
    with serving(base_path=str(tmp_path), poll_seconds=POLL) as server:
        future = server.prediction.Predict.future(_slow_request(), 60)
        server.wait(lambda: server.core._versions._wanted["default"][1].leases == 1)
        models.add_version(zoo, str(tmp_path), 2)
        server.wait(lambda: server.states().get(2) == "AVAILABLE")
        assert future.done() or server.states()[1] == "UNLOADING"
        assert future.result().model_spec.version.value == 1
        server.wait(lambda: server.states() == {2: "AVAILABLE", 1: "END"})


def _slow_request():
    from running import predict_request

    return predict_request({"x": np.float32([1e6])}, signature="slow")


def broken(kind, source, base, number):
    """Adds a version that is not complete."""
    place = os.path.join(base, ".partial")
    shutil.copytree(source, place)
    if kind == "no graph":
        os.remove(os.path.join(place, "saved_model.pb"))
    elif kind == "graph cut":
        os.truncate(os.path.join(place, "saved_model.pb"), 100)
    elif kind == "no variables":  # the real server loads it, and then fails each request
        shutil.rmtree(os.path.join(place, "variables"))
    elif kind == "variables cut":
        (data,) = (n for n in os.listdir(os.path.join(place, "variables")) if ".data-" in n)
        os.truncate(os.path.join(place, "variables", data), 1)
    elif kind == "warm-up":
        os.makedirs(os.path.join(place, "assets.extra"))
        with open(os.path.join(place, WARMUP), "wb") as file:
            file.write(b"no records")
    os.rename(place, os.path.join(base, str(number)))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("no graph", "Could not find SavedModel .pb or .pbtxt at supplied export directory path"),
        ("graph cut", "cannot be loaded"),
        ("no variables", "cannot be loaded"),
        ("variables cut", "cannot be loaded"),
        ("warm-up", "Failed to read warmup record"),
    ],
)
def test_a_broken_version_is_told_and_the_old_one_goes_on(base, half_plus_two, kind, error):
    with serving(base_path=base, poll_seconds=POLL, retries=1, retry_seconds=0) as server:
        broken(kind, half_plus_two, base, 2)
        server.wait(lambda: server.states() == {2: "END", 1: "AVAILABLE"})
        (new, _) = server.get("/v1/models/default")["model_version_status"]
        assert error in new["status"]["error_message"]
        assert new["status"]["error_code"] != "OK"
        assert y(server) == (3, 1)


def test_folders_of_models_are_models_and_new_ones_are_found(base, half_plus_three, tmp_path):
    with serving(base_path=str(tmp_path), poll_seconds=POLL) as server:
        assert y(server, "base") == (3, 1)
        models.add_version(half_plus_three, str(tmp_path / "three"), 7)
        server.wait(lambda: refusal_or_none(lambda: y(server, "three")) is None)
        assert y(server, "three") == (4, 7)
        shutil.rmtree(tmp_path / "base")
        server.wait(lambda: refusal_or_none(lambda: y(server, "base")) == "NOT_FOUND")


def refusal_or_none(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name
    return None


def test_a_model_may_come_after_the_start(half_plus_two, tmp_path):
    with serving(base_path=str(tmp_path / "later"), poll_seconds=POLL) as server:
        assert refusal(lambda: y(server)) == ("NOT_FOUND", "Servable not found for request: Latest(default)")
        models.add_version(half_plus_two, str(tmp_path / "later"), 1)
        server.wait(lambda: refusal_or_none(lambda: y(server)) is None)


def test_the_config_file_is_the_whole_truth_and_read_again(base, half_plus_three, tmp_path, caplog):
    three = str(tmp_path / "three")
    models.add_version(half_plus_three, three, 1)
    models.add_version(half_plus_three, three, 2)
    file = tmp_path / "models.config"
    file.write_text(config(("two", base, ""), ("three", three, "")))
    with serving(config_file=str(file), poll_seconds=POLL, config_poll_seconds=POLL) as server:
        assert (y(server, "two"), y(server, "three")) == ((3, 1), (4, 2))
        assert refusal(lambda: y(server, "three", version=1))[0] == "NOT_FOUND"
        policy = "model_version_policy { specific { versions: 1 versions: 2 } }"
        file.write_text(config(("three", three, policy)))
        server.wait(lambda: server.states("three") == {2: "AVAILABLE", 1: "AVAILABLE"})
        server.wait(lambda: refusal_or_none(lambda: y(server, "two")) == "NOT_FOUND")
        file.write_text(config(("three", three, f"{policy} version_labels {{ key: 'stable' value: 1 }}")))
        server.wait(lambda: refusal_or_none(lambda: y(server, "three", label="stable")) is None)
        assert y(server, "three", label="stable") == (4, 1)
        file.write_text("model_config_list { oops }")
        server.wait(lambda: "Error parsing text-format tensorflow.serving.ModelServerConfig" in caplog.text)
        file.write_text(config(("three", three, f"{policy} version_labels {{ key: 'stable' value: 9 }}")))
        server.wait(lambda: "Request to assign label to version 9 of model three" in caplog.text)
        assert y(server, "three", label="stable") == (4, 1)  # the last config that was right


def test_a_label_moves_to_a_new_version_and_back_while_both_are_served(base, half_plus_three, tmp_path):
    # The documentation's canary: the clients ask for labels, and the config says which version these mean.
    models.add_version(half_plus_three, base, 2)
    file, policy = tmp_path / "models.config", "model_version_policy { specific { versions: 1 versions: 2 } }"

    def write(**labels):
        entries = " ".join(f"version_labels {{ key: '{key}' value: {value} }}" for key, value in labels.items())
        file.write_text(config(("m", f"{base}/", f"{policy} {entries}")))

    def stable(version):
        return lambda: (
            refusal_or_none(lambda: y(server, "m", label="stable")) is None
            and (y(server, "m", label="stable") == ({1: 3, 2: 4}[version], version))
        )

    write()
    with serving(config_file=str(file), config_poll_seconds=POLL) as server:
        write(stable=1, canary=2)
        server.wait(stable(1))
        assert y(server, "m", label="canary") == (4, 2)
        write(stable=2, canary=2)
        server.wait(stable(2))
        write(stable=1, canary=2)
        server.wait(stable(1))
        assert refusal(lambda: y(server, "m", label="nightly")) == (
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: nightly",
        )


def test_the_config_file_is_read_once_without_a_poll_period(base, tmp_path):
    file = tmp_path / "models.config"
    file.write_text(config(("two", base, "")))
    with serving(config_file=str(file), poll_seconds=POLL) as server:
        file.write_text(config(("other", base, "")))
        threading.Event().wait(0.3)
        assert y(server, "two") == (3, 1)
        assert refusal(lambda: y(server, "other"))[0] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("model_config_list { oops }", "Error parsing text-format tensorflow.serving.ModelServerConfig"),
        (config(("m", "relative", "")), "Expected model m to have an absolute path or URI; got base_path()=relative"),
        (
            config(("m", "/nowhere", "version_labels { key: 'a' value: 1 }")),
            "Request to assign label to version 1 of model m, which is not currently available for inference; see "
            "--allow_version_labels_for_unavailable_models",
        ),
    ],
)
def test_a_wrong_config_at_the_start_ends_it(tmp_path, text, error):
    (tmp_path / "models.config").write_text(text)
    with pytest.raises(RunError) as caught, serving(config_file=str(tmp_path / "models.config")):
        pass
    assert error in str(caught.value)


def test_labels_at_the_start_with_the_flag(base, tmp_path):
    file = tmp_path / "models.config"
    file.write_text(config(("two", base, "version_labels { key: 'stable' value: 1 }")))
    with serving(config_file=str(file), lenient_labels=True) as server:
        assert y(server, "two", label="stable") == (3, 1)
        assert server.post("two/labels/stable:predict", {"instances": [2.0]}) == {"predictions": [3.0]}


def reload_request(*entries):
    from google.protobuf import text_format

    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(config(*entries), request.config)
    return request


def test_a_config_can_be_sent(base, half_plus_three, tmp_path):
    three = str(tmp_path / "three")
    models.add_version(half_plus_three, three, 5)
    with serving(base_path=base, poll_seconds=POLL) as server:
        answer = server.model.HandleReloadConfigRequest(reload_request(("three", three, "")))
        assert answer.status.error_code == 0
        assert y(server, "three") == (4, 5)  # it is there when the answer is
        server.wait(lambda: refusal_or_none(lambda: y(server)) == "NOT_FOUND")
        code, text = refusal(
            lambda: server.model.HandleReloadConfigRequest(reload_request(("gone", str(tmp_path / "gone"), "")))
        )
        assert (code, "1 model(s) did not become available: {{gone" in text) == ("UNKNOWN", True)
        code, text = refusal(
            lambda: server.model.HandleReloadConfigRequest(reload_request(("a", three, ""), ("a", three, "")))
        )
        assert (code, "multiple times" in text) == ("INVALID_ARGUMENT", True)
        code, text = refusal(lambda: server.model.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest()))
        assert (code, "Only ModelConfigList is currently supported" in text) == ("INVALID_ARGUMENT", True)


def test_other_tags_can_be_asked_for(tmp_path):
    models.save_half_plus(str(tmp_path / "m" / "1"), tags=("serve", "gpu"))
    with serving(base_path=str(tmp_path / "m"), tags=("serve", "gpu")) as server:
        assert y(server) == (3, 1)
    with serving(base_path=str(tmp_path / "m"), retries=0) as server:
        (status,) = server.get("/v1/models/default")["model_version_status"]
        assert "Could not find meta graph def matching supplied tags: { serve }" in status["status"]["error_message"]


def write_warmup(version, *logs):
    os.makedirs(os.path.join(version, "assets.extra"))
    with tf.io.TFRecordWriter(os.path.join(version, WARMUP)) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def predict_log(value=2.0, signature=""):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = signature
    log.predict_log.request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([value])))
    return log


def other_log(kind, signature):
    log = prediction_log_pb2.PredictionLog()
    request = getattr(log, kind).request
    if kind == "multi_inference_log":
        task = request.tasks.add(method_name="tensorflow/serving/regress")
        task.model_spec.signature_name = signature
    else:
        request.model_spec.signature_name = signature
    request.input.example_list.examples.add().CopyFrom(models.example(x=[2]))
    return log


def test_warmup_records_of_all_kinds_are_run(base):
    kinds = {
        "classify_log": "classify_x_to_y",
        "regress_log": "regress_x_to_y",
        "multi_inference_log": "regress_x_to_y",
    }
    write_warmup(f"{base}/1", predict_log(), *(other_log(kind, name) for kind, name in kinds.items()))
    with serving(base_path=base, metrics_path="/metrics", warmup_iterations=3) as server:
        assert y(server) == (3, 1)
        labels = f'model_path="{base}/1",status="OK"'
        assert f":tensorflow:serving:model_warmup_latency_count{{{labels}}} 1" in server.get("/metrics")


@pytest.mark.parametrize(
    ("logs", "error"),
    [
        ([predict_log(signature="nope")], 'Serving signature key "nope" not found.'),
        ([prediction_log_pb2.PredictionLog()], "Unsupported log_type for warmup: none"),
        (
            [prediction_log_pb2.PredictionLog(session_run_log=prediction_log_pb2.SessionRunLog())],
            "Unsupported log_type for warmup: session_run_log",
        ),
        ([predict_log()] * 1001, "Number of warmup records exceeds the maximum (1000)"),
    ],
)
def test_a_failing_warmup_fails_the_load_unless_it_is_off(base, logs, error):
    write_warmup(f"{base}/1", *logs)
    with serving(base_path=base, retries=0) as server:
        (status,) = server.get("/v1/models/default")["model_version_status"]
        assert (status["state"], error in status["status"]["error_message"]) == ("END", True), status
    with serving(base_path=base, warmup=False) as server:
        assert y(server) == (3, 1)


BATCHES = "max_batch_size { value: 2 } max_enqueued_batches { value: 100 } num_batch_threads { value: 1 }"


def test_batching_limits_and_answers(base, tmp_path):
    (tmp_path / "batching.txt").write_text(BATCHES)
    with serving(base_path=base, batching=True, batching_file=str(tmp_path / "batching.txt")) as server:
        futures = [server.prediction.Predict.future(_request(np.float32([value])), 60) for value in range(20)]
        assert [f.result().outputs["y"].float_val[0] for f in futures] == [value / 2 + 2 for value in range(20)]
        code, text = refusal(lambda: server.prediction.Predict(_request(np.float32([1, 2, 3])), 60))
        assert (code, "Task size 3 is larger than maximum input batch size 2" in text) == ("INVALID_ARGUMENT", True)


def _request(value):
    from running import predict_request

    return predict_request({"x": value})


def test_batching_parameters_of_the_version(base, half_plus_two, tmp_path):
    with open(f"{base}/1/batching_params.pbtxt", "w") as file:
        file.write(BATCHES)
    models.add_version(half_plus_two, str(tmp_path / "free"), 1)
    with serving(base_path=str(tmp_path), batching=True, batching_per_model=True) as server:
        three = {"x": np.float32([1, 2, 3])}
        assert refusal(lambda: server.predict(three, "base"))[0] == "INVALID_ARGUMENT"
        assert len(server.predict(three, "free").outputs["y"].float_val) == 3
        models.add_version(half_plus_two, str(tmp_path / "base"), 2)
        with open(f"{base}/2/batching_params.pbtxt", "w") as file:
            file.write("oops")


def test_a_batching_file_that_is_wrong_ends_the_start(base, tmp_path):
    file = tmp_path / "batching.txt"
    for text, error in (("oops", "Error parsing text-format"), ("allowed_batch_sizes: 3", "must match max_batch_size")):
        file.write_text(text)
        with pytest.raises(RunError, match=error), serving(base_path=base, batching=True, batching_file=str(file)):
            pass
