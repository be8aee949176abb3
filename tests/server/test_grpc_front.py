"""The gRPC front end, asked with the official stubs, as a client of tensorflow_model_server asks."""

import contextlib
import shutil
import subprocess

import grpc
import models
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import wrappers_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from models import example
from running import predict_request, serving
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from tf2cases.errors import RunError

CODES = grpc.StatusCode


@contextlib.contextmanager
def refused(code, text):
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code() == code, caught.value
    assert text in caught.value.details()
    assert "\n" not in caught.value.details()


def spec(message):
    return message.name, message.signature_name, message.version.value


def test_predict_answers_with_typed_values_and_the_spec(server):
    answer = server.predict({"x": np.float32([2, 4])}, "half_plus_two")
    assert list(answer.outputs) == ["y"]
    assert list(answer.outputs["y"].float_val) == [3, 4]  # half of x plus two
    assert answer.outputs["y"].tensor_content == b""
    assert spec(answer.model_spec) == ("half_plus_two", "serving_default", 123)


def test_the_output_filter_picks_outputs(server):
    answer = server.predict({"x": np.float32([2])}, "half_plus_two", signature="both", output_filter=["twice", "x"])
    assert {name: list(value.float_val) for name, value in answer.outputs.items()} == {"twice": [6], "x": [2]}
    answer = server.predict({"x": np.float32([2])}, "half_plus_two", signature="both", output_filter=["x"])
    assert list(answer.outputs["x"].float_val) == [2]  # an output that is the input
    with refused(CODES.INVALID_ARGUMENT, "output tensor alias not found in signature: z Outputs expected to be in the"):
        server.predict({"x": np.float32([2])}, "half_plus_two", signature="both", output_filter=["z"])
    with refused(CODES.INVALID_ARGUMENT, "duplicate output tensor alias: y"):
        server.predict({"x": np.float32([2])}, "half_plus_two", signature="both", output_filter=["y", "y"])


@pytest.mark.parametrize("content", [False, True])
def test_every_dtype_comes_back_as_it_was_sent(server, content):
    sent = {}
    for name, dtype in models.Zoo.kinds().items():
        if dtype == tf.string:
            value = np.array([b"", b"\xff\x00", b"abc" * 100], object)
        else:
            value = np.array([0, 1, 3], np.complex64 if dtype.is_complex else np.int64).astype(dtype.as_numpy_dtype)
            value = value * 1j if dtype.is_complex else value
        sent[name] = value.astype(dtype.as_numpy_dtype)
    protos = {name: tf.make_tensor_proto(value) for name, value in sent.items()}
    if not content:  # make_tensor_proto uses tensor_content; the graph's own constants are TensorFlow's typed form
        protos = {name: _typed(value) for name, value in sent.items()}
    answer = server.predict(protos, "zoo", signature="kinds")
    assert set(answer.outputs) == set(sent)
    for name, value in sent.items():
        got = answer.outputs[name]
        assert got.dtype == models.Zoo.kinds()[name].as_datatype_enum
        assert not got.tensor_content
        np.testing.assert_array_equal(tf.make_ndarray(got), value, name)


def _typed(value):
    """A TensorProto with typed values: one per element, appended one by one."""
    proto = tf.make_tensor_proto(value[:1], shape=[1])
    proto = tf.compat.v1.AttrValue(tensor=proto).tensor  # a copy
    dtype = tf.dtypes.as_dtype(value.dtype if value.dtype != object else tf.string)
    proto.ClearField("tensor_content")
    proto.tensor_shape.dim[0].size = len(value)
    for field in proto.DESCRIPTOR.fields:
        if field.name.endswith("_val"):
            proto.ClearField(field.name)
    for element in value:
        if dtype == tf.string:
            proto.string_val.append(element)
        elif dtype in (tf.half, tf.bfloat16):
            proto.half_val.append(int(element.view(np.uint16)))
        elif dtype.is_complex:
            field = proto.scomplex_val if dtype == tf.complex64 else proto.dcomplex_val
            field.extend([element.real, element.imag])
        else:
            narrow = ["int8", "int16", "int32", "uint8", "uint16"]
            prefix = {"float32": "float", "float64": "double"}.get(dtype.name, dtype.name)
            getattr(proto, "int_val" if dtype.name in narrow else f"{prefix}_val").append(element.item())
    return proto


def test_tensor_content_is_sent_with_the_flag(half_plus_two, zoo, tmp_path):
    models.add_version(zoo, str(tmp_path), 1)
    with serving(grpc={"tensor_content": True}, base_path=str(tmp_path)) as server:
        got = server.predict({"x": np.float32([1, 2])}).outputs["y"]
        assert not got.float_val
        assert np.frombuffer(got.tensor_content, np.float32).tolist() == [2, 3]
        # Strings: their lengths, then the strings, as TensorFlow's Tensor::AsProtoTensorContent writes them.
        got = server.predict({"words": np.array([b"a", b"b" * 200], object)}, signature="strings").outputs["word_bytes"]
        assert got.tensor_content == b"\x01\xc8\x01a" + b"b" * 200
        content = tf.compat.v1.AttrValue().tensor
        content.CopyFrom(got)
        answer = server.predict({"words": content}, signature="strings")
        assert answer.outputs["word_bytes"].tensor_content == got.tensor_content


def test_scalars_strings_and_several_outputs(server):
    answer = server.predict({"start": np.float32(5), "count": np.int32(3)}, "zoo", signature="scalars")
    assert tf.make_ndarray(answer.outputs["numbers"]).tolist() == [5, 6, 7]
    assert tf.make_ndarray(answer.outputs["count"]) == 3
    answer = server.predict({"words": np.array([b"a", b"z"], object)}, "zoo", signature="strings")
    assert tf.make_ndarray(answer.outputs["number"]).tolist() == [1, -1]
    assert list(answer.outputs["upper"].string_val) == [b"A", b"Z"]


def test_an_empty_batch_is_answered_with_an_empty_one(server):
    got = server.predict({"x": np.zeros([0], np.float32)}, "half_plus_two").outputs["y"]
    assert tf.make_ndarray(got).shape == (0,)


def test_fewer_values_than_elements_mean_the_last_one(server):
    filled = tf.make_tensor_proto(np.float32([2]), shape=[1])
    filled.ClearField("tensor_content")
    filled.float_val[:] = [2, 4]
    filled.tensor_shape.dim[0].size = 4
    assert list(server.predict({"x": filled}, "half_plus_two").outputs["y"].float_val) == [3, 4, 4, 4]
    filled.ClearField("float_val")
    assert list(server.predict({"x": filled}, "half_plus_two").outputs["y"].float_val) == [2, 2, 2, 2]


def test_what_cannot_be_found_is_told(server):
    x = {"x": np.float32([1])}
    with refused(CODES.NOT_FOUND, "Servable not found for request: Latest(nope)"):
        server.predict(x, "nope")
    with refused(CODES.NOT_FOUND, "Servable not found for request: Specific(zoo, 7)"):
        server.predict(x, "zoo", version=7)
    with refused(CODES.INVALID_ARGUMENT, "Unrecognized servable version label: best"):
        server.predict(x, "zoo", label="best")
    with refused(CODES.INVALID_ARGUMENT, "ModelSpec has no name specified."):
        server.predict(x, "")
    with refused(CODES.FAILED_PRECONDITION, 'Serving signature key "nope" not found.'):
        server.predict(x, "zoo", signature="nope")


def test_wrong_inputs_are_told(server):
    with refused(CODES.INVALID_ARGUMENT, "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: "):
        server.predict({}, "zoo")
    with refused(CODES.INVALID_ARGUMENT, "Sent extra: {z}. Missing but required: {}."):
        server.predict({"x": np.float32([1]), "z": np.float32([1])}, "zoo")
    text = "input tensor alias not found in signature: z. Inputs expected to be in the set {x}."
    with refused(CODES.INVALID_ARGUMENT, text):
        server.predict({"z": np.float32([1])}, "zoo")
    with refused(CODES.INVALID_ARGUMENT, "Expects arg[0] to be DT_FLOAT but DT_DOUBLE is provided for input 'x'"):
        server.predict({"x": np.float64([1])}, "zoo")
    with refused(CODES.INVALID_ARGUMENT, "x must be positive"):
        server.predict({"x": np.float32([-1])}, "zoo", signature="positive")


def damaged(**changes):
    message = tf.make_tensor_proto(np.float32([1, 2]))
    for name, value in changes.items():
        if name == "size":
            message.tensor_shape.dim[0].size = value
        elif name == "unknown_rank":
            message.tensor_shape.ClearField("dim")
            message.tensor_shape.unknown_rank = True
        else:
            setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (damaged(size=-1), "which is not a shape"),
        (damaged(size=1 << 40), "8 bytes of content"),
        (damaged(size=1 << 40, tensor_content=b""), "has 0 values only"),
        (damaged(size=3), "a tensor of 3 values of type DT_FLOAT has 8 bytes of content"),
        (damaged(unknown_rank=True), "unknown rank"),
        (damaged(dtype=0), "dtype is DT_INVALID"),
        (damaged(dtype=20), "dtype is DT_RESOURCE"),
        (damaged(dtype=7, tensor_content=b"\xff" * 30), "not a list of strings"),
        (damaged(dtype=7, tensor_content=b"\x05\x05ab"), "not a list of strings"),
        (damaged(dtype=999), "dtype is 999"),
    ],
)
def test_damaged_tensors_are_refused(server, message, text):
    with refused(CODES.INVALID_ARGUMENT, text):
        server.predict({"x": message}, "zoo")


def test_bytes_that_are_no_message_are_refused(server):
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with refused(CODES.INVALID_ARGUMENT, "the request is not a tensorflow.serving.PredictRequest"):
        call(b"\xff\xff\xff")
    with refused(CODES.UNIMPLEMENTED, ""):
        server.channel.unary_unary("/tensorflow.serving.PredictionService/Sing")(b"")


def request_of(kind, signature, *values):
    request = kind()
    request.model_spec.name, request.model_spec.signature_name = "half_plus_two", signature
    request.input.example_list.examples.extend([example(x=[value]) for value in values])
    return request


def test_classify(server):
    answer = server.prediction.Classify(request_of(classification_pb2.ClassificationRequest, "classify_x_to_y", 2, 4))
    rows = [[(c.label, c.score) for c in row.classes] for row in answer.result.classifications]
    assert rows == [[("", 3)], [("", 4)]]
    assert spec(answer.model_spec) == ("half_plus_two", "classify_x_to_y", 123)


def test_classify_with_labels_by_a_signature_of_tensorflow_2(server):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "zoo", "classify"
    request.input.example_list.examples.add().CopyFrom(example(x=[0.25, 0.75]))
    (row,) = server.prediction.Classify(request).result.classifications
    assert [(c.label, c.score) for c in row.classes] == [("cat", 0.25), ("dog", 0.75)]


def test_regress(server):
    answer = server.prediction.Regress(request_of(regression_pb2.RegressionRequest, "regress_x_to_y", 2, 4))
    assert [regression.value for regression in answer.result.regressions] == [3, 4]
    assert spec(answer.model_spec) == ("half_plus_two", "regress_x_to_y", 123)


def test_a_context_belongs_to_each_example(server):
    request = request_of(regression_pb2.RegressionRequest, "regress_x_to_y")
    request.input.example_list_with_context.context.CopyFrom(example(x=[2]))
    request.input.example_list_with_context.examples.extend([tf.train.Example(), example(x=[4])])
    answer = server.prediction.Regress(request)
    assert [regression.value for regression in answer.result.regressions] == [3, 4]


def test_wrong_classifications_and_regressions_are_told(server):
    classify, regress = server.prediction.Classify, server.prediction.Regress
    with refused(CODES.INVALID_ARGUMENT, "Input is empty."):
        classify(request_of(classification_pb2.ClassificationRequest, "classify_x_to_y"))
    with refused(CODES.INVALID_ARGUMENT, "No signature was found with the name: nope"):
        classify(request_of(classification_pb2.ClassificationRequest, "nope", 2))
    with refused(CODES.FAILED_PRECONDITION, "No classification inputs found in SignatureDef"):
        classify(request_of(classification_pb2.ClassificationRequest, "serving_default", 2))
    with refused(CODES.INVALID_ARGUMENT, "Expected one output Tensor"):
        regress(request_of(regression_pb2.RegressionRequest, "both", 2))
    with refused(CODES.FAILED_PRECONDITION, "No regression outputs found in SignatureDef"):
        regress(request_of(regression_pb2.RegressionRequest, "classify_x_to_y", 2))
    request = request_of(regression_pb2.RegressionRequest, "regress_x_to_y")
    request.input.example_list.examples.add().features.feature["y"].float_list.value.append(1)
    with refused(CODES.INVALID_ARGUMENT, "Feature: x (data type: float) is required but could not be found"):
        regress(request)


def multi(*tasks, examples=(2,)):
    request = inference_pb2.MultiInferenceRequest()
    for signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "half_plus_two", signature
    request.input.example_list.examples.extend([example(x=[value]) for value in examples])
    return request


def test_multi_inference(server):
    tasks = [("regress_x_to_y", "regress"), ("classify_x_to_y", "classify"), ("regress_x_to_twice", "regress")]
    results = server.prediction.MultiInference(multi(*tasks)).results
    assert results[0].regression_result.regressions[0].value == 3
    assert results[1].classification_result.classifications[0].classes[0].score == 3
    assert results[2].regression_result.regressions[0].value == 6
    assert [spec(result.model_spec) for result in results] == [("half_plus_two", name, 123) for name, _ in tasks]


def test_tasks_of_a_multi_inference_may_have_different_tensors_for_the_same_input(server):
    # As the signatures of one tf.Module have; all tensors get the same examples.
    request = multi(("classify", "classify"), ("regress", "regress"), examples=((0.25, 3), (0.5, 4)))
    for task in request.tasks:
        task.model_spec.name = "zoo"
    names = {next(iter(s.inputs.values())).name for s in signature_defs(server, "zoo", ("classify", "regress"))}
    assert len(names) == 2
    classified, regressed = server.prediction.MultiInference(request).results
    rows = [[(c.label, c.score) for c in row.classes] for row in classified.classification_result.classifications]
    assert rows == [[("cat", 0.25), ("dog", 3)], [("cat", 0.5), ("dog", 4)]]
    assert [row.value for row in regressed.regression_result.regressions] == [4, 5]


def signature_defs(server, model, names):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = model
    found = get_model_metadata_pb2.SignatureDefMap()
    server.prediction.GetModelMetadata(request).metadata["signature_def"].Unpack(found)
    return [found.signature_def[name] for name in names]


def test_wrong_multi_inferences_are_told(server):
    call, regress = server.prediction.MultiInference, ("regress_x_to_y", "regress")
    with refused(CODES.UNIMPLEMENTED, "Unsupported signature method_name: tensorflow/serving/predict"):
        call(multi(("serving_default", "predict")))
    with refused(CODES.INVALID_ARGUMENT, "Duplicate evaluation of signature: regress_x_to_y"):
        call(multi(regress, regress))
    with refused(CODES.INVALID_ARGUMENT, "Requested signature not found in model graph: nope"):
        call(multi(("nope", "regress")))
    with refused(CODES.INVALID_ARGUMENT, "at least one task"):
        call(multi())
    with refused(CODES.INVALID_ARGUMENT, "Input is empty."):
        call(multi(regress, examples=()))
    request = multi(regress, ("classify_x_to_y", "classify"))
    request.tasks[1].model_spec.name = "zoo"
    with refused(CODES.INVALID_ARGUMENT, "All ModelSpecs in a MultiInferenceRequest must access the same model name."):
        call(request)


def test_metadata(server):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "half_plus_two"
    answer = server.prediction.GetModelMetadata(request)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("half_plus_two", 123)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(found)
    assert found.signature_def["classify_x_to_y"].method_name == models.CLASSIFY
    assert found.signature_def["serving_default"].inputs["x"].name == "x:0"
    request.metadata_field[:] = ["assets"]
    with refused(CODES.INVALID_ARGUMENT, "assets is not supported"):
        server.prediction.GetModelMetadata(request)
    request.metadata_field[:] = []
    with refused(CODES.INVALID_ARGUMENT, "must specify at least one metadata_field"):
        server.prediction.GetModelMetadata(request)
    with refused(CODES.INVALID_ARGUMENT, "Missing ModelSpec"):
        server.prediction.GetModelMetadata(get_model_metadata_pb2.GetModelMetadataRequest())


def test_status(server):
    request = get_model_status_pb2.GetModelStatusRequest()
    with refused(CODES.INVALID_ARGUMENT, "Missing ModelSpec"):
        server.model.GetModelStatus(request)
    request.model_spec.name = "half_plus_two"
    (status,) = server.model.GetModelStatus(request).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert (status.version, status.state, status.status.error_code) == (123, available, 0)
    request.model_spec.version.CopyFrom(wrappers_pb2.Int64Value(value=7))
    with refused(CODES.NOT_FOUND, "Could not find version 7 of model half_plus_two"):
        server.model.GetModelStatus(request)
    request.model_spec.name = "nope"
    request.model_spec.ClearField("version")
    with refused(CODES.NOT_FOUND, "Could not find any versions of model nope"):
        server.model.GetModelStatus(request)


def test_the_method_name_is_checked_with_the_flag(half_plus_two, zoo, tmp_path):
    models.add_version(half_plus_two, str(tmp_path / "half_plus_two"), 1)
    models.add_version(zoo, str(tmp_path / "zoo"), 1)
    with serving(base_path=str(tmp_path), check_methods=True) as server:
        request = request_of(classification_pb2.ClassificationRequest, "classify", 2)
        request.model_spec.name = "zoo"
        with refused(CODES.INVALID_ARGUMENT, f"signature method_name to be {models.CLASSIFY}. Was: {models.PREDICT}"):
            server.prediction.Classify(request)
        server.prediction.Classify(request_of(classification_pb2.ClassificationRequest, "classify_x_to_y", 2))


def test_a_deadline_that_passes_is_told(server):
    with refused(CODES.DEADLINE_EXCEEDED, ""):
        server.predict({"x": np.float32([1e6])}, "zoo", signature="slow", timeout=0.2)


def test_large_messages_pass_in_both_directions(server):
    x = np.arange(5e6, dtype=np.float32)  # 20 MB; gRPC's own limit is 4 MB
    got = tf.make_ndarray(server.predict({"x": x}, "half_plus_two").outputs["y"])
    np.testing.assert_array_equal(got, x / 2 + 2)


def test_messages_above_the_limit_are_refused(zoo, tmp_path):
    from tf2cases.server.options import Limits

    models.add_version(zoo, str(tmp_path), 1)
    with serving(grpc={"limits": Limits(body_bytes=1000)}, base_path=str(tmp_path)) as server:
        with refused(CODES.RESOURCE_EXHAUSTED, "larger than max"):
            server.predict({"x": np.zeros(1000, np.float32)})
        server.predict({"x": np.zeros(10, np.float32)})


def test_arguments_of_the_channel_reach_the_library(half_plus_two, tmp_path):
    models.add_version(half_plus_two, str(tmp_path), 1)
    arguments = (("grpc.lb_policy_name", "grpclb"), ("grpc.max_receive_message_length", 1000))
    with serving(grpc={"channel_arguments": arguments}, base_path=str(tmp_path)) as server:
        assert server.predict({"x": np.float32([2])}).outputs["y"].float_val[0] == 3
        with refused(CODES.RESOURCE_EXHAUSTED, "1000"):
            server.predict({"x": np.zeros(1000, np.float32)})


def test_a_unix_socket_and_health(zoo, tmp_path):
    models.add_version(zoo, str(tmp_path / "zoo"), 1)
    options = {"addresses": ("127.0.0.1:0", f"unix:{tmp_path}/socket"), "health": True}
    with serving(grpc=options, base_path=str(tmp_path / "zoo")) as server:
        with grpc.insecure_channel(f"unix:{tmp_path}/socket") as channel:
            call = channel.unary_unary(
                "/tensorflow.serving.PredictionService/Predict",
                predict_pb2.PredictRequest.SerializeToString,
                predict_pb2.PredictResponse.FromString,
            )
            assert list(call(predict_request({"x": np.float32([1])})).outputs["y"].float_val) == [2]
        check = health_pb2_grpc.HealthStub(server.channel).Check
        for service in ("", "tensorflow.serving.PredictionService"):
            answer = check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with serving(base_path=str(tmp_path / "zoo")) as server, refused(CODES.UNIMPLEMENTED, ""):
        health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest())


def test_metrics_count_requests_of_both_front_ends(server):
    name = ":tensorflow:serving:request_count"

    def counted(model, status):
        label = f'{name}{{model_name="{model}",status="{status}"}} '
        lines = server.get("/monitoring/prometheus/metrics").splitlines()
        return sum(int(line.removeprefix(label)) for line in lines if line.startswith(label))

    before = counted("half_plus_two", "OK"), counted("gone", "NOT_FOUND")
    server.predict({"x": np.float32([1])}, "half_plus_two")
    server.post("half_plus_two:predict", {"instances": [1.0]})
    with refused(CODES.NOT_FOUND, ""):
        server.predict({"x": np.float32([1])}, "gone")
    assert (counted("half_plus_two", "OK"), counted("gone", "NOT_FOUND")) == (before[0] + 2, before[1] + 1)
    text = server.get("/monitoring/prometheus/metrics")
    assert f"# TYPE {name} counter\n" in text
    labels = 'model_name="half_plus_two",API="Predict",entrypoint="GRPC",status="OK"'
    for entry in ('_bucket{%s,le="10"}', '_bucket{%s,le="+Inf"}', "_sum{%s}", "_count{%s}"):
        assert f":tensorflow:serving:request_latency{entry % labels} " in text


def certificate(place):
    """Makes a key and a certificate of localhost; returns their texts."""
    key, certificate = place / "key.pem", place / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return key.read_text(), certificate.read_text()


def ssl_file(place, key, cert, more=""):
    key, cert = (text.replace("\n", "\\n") for text in (key, cert))
    (place / "ssl.txt").write_text(f'server_key: "{key}" server_cert: "{cert}" {more}')
    return str(place / "ssl.txt")


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl, to make a certificate")
def test_ssl_with_and_without_certificates_of_clients(zoo, tmp_path):
    models.add_version(zoo, str(tmp_path / "zoo"), 1)
    key, cert = certificate(tmp_path)
    mutual = 'client_verify: true custom_ca: "{}"'.format(cert.replace("\n", "\\n"))
    for more, own in (("", ()), (mutual, (key.encode(), cert.encode()))):
        options = {"ssl_file": ssl_file(tmp_path, key, cert, more)}
        with serving(grpc=options, base_path=str(tmp_path / "zoo")) as server:
            place = f"localhost:{server.grpc_port}"
            request = predict_request({"x": np.float32([1])}).SerializeToString()
            with grpc.secure_channel(place, grpc.ssl_channel_credentials(cert.encode(), *own)) as channel:
                call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
                assert predict_pb2.PredictResponse.FromString(call(request, 30)).outputs["y"].float_val[0] == 2
            strangers = grpc.ssl_channel_credentials(cert.encode()) if own else grpc.ssl_channel_credentials()
            with grpc.secure_channel(place, strangers) as channel:
                with refused(CODES.UNAVAILABLE, ""):
                    channel.unary_unary("/tensorflow.serving.PredictionService/Predict")(request, 30)


def test_an_ssl_file_without_a_key_ends_the_start(zoo, tmp_path):
    models.add_version(zoo, str(tmp_path / "zoo"), 1)
    (tmp_path / "ssl.txt").write_text("client_verify: true")
    with pytest.raises(RunError, match="must have server_key and server_cert"):
        with serving(grpc={"ssl_file": str(tmp_path / "ssl.txt")}, base_path=str(tmp_path / "zoo")):
            pass
