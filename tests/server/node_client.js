// A client in Node. Its arguments: a file with a FileDescriptorSet of the official stubs, and host:port.
// It prints one JSON object: what it got.

const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [, , descriptors, address] = process.argv;
const options = { keepCase: true, longs: String, enums: String, defaults: false, oneofs: true };
const definitions = loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(descriptors), options);
const { serving } = grpc.loadPackageDefinition(definitions).tensorflow;
const credentials = grpc.credentials.createInsecure();
const prediction = new serving.PredictionService(address, credentials);
const models = new serving.ModelService(address, credentials);

function ask(stub, method, request) {
  return new Promise((resolve) => {
    const deadline = new Date(Date.now() + 60000);
    stub[method](request, { deadline }, (error, answer) => {
      resolve(error ? { error: grpc.status[error.code], details: error.details } : answer);
    });
  });
}

// A map as the loader has it when it reads descriptors: a list of entries.
function map(object) {
  return Object.entries(object).map(([key, value]) => ({ key, value }));
}

function tensor(dtype, sizes, values) {
  return { dtype, tensor_shape: { dim: sizes.map((size) => ({ size })) }, ...values };
}

async function main() {
  const spec = (name, signature_name) => ({ name, signature_name });
  const halves = tensor("DT_FLOAT", [3], { float_val: [1, 2, 5] });
  const content = Buffer.from(new Float32Array([1, 2, 5]).buffer);
  const words = [Buffer.from("a"), Buffer.from([255, 0])];
  const x = { feature: map({ x: { float_list: { value: [2] } } }) };
  const input = { example_list: { examples: [{ features: x }] } };
  const examples = (signature_name) => ({ model_spec: spec("half_plus_two", signature_name), input });
  const found = {
    values: await ask(prediction, "Predict", { model_spec: spec("half_plus_two"), inputs: map({ x: halves }) }),
    content: await ask(prediction, "Predict", {
      model_spec: { name: "half_plus_two", version: { value: 123 } },
      inputs: map({ x: tensor("DT_FLOAT", [3], { tensor_content: content }) }),
      output_filter: ["y"],
    }),
    strings: await ask(prediction, "Predict", {
      model_spec: spec("zoo", "strings"),
      inputs: map({ words: tensor("DT_STRING", [2], { string_val: words }) }),
    }),
    regressed: await ask(prediction, "Regress", examples("regress_x_to_y")),
    classified: await ask(prediction, "Classify", examples("classify_x_to_y")),
    metadata: await ask(prediction, "GetModelMetadata", {
      model_spec: spec("half_plus_two"),
      metadata_field: ["signature_def"],
    }),
    status: await ask(models, "GetModelStatus", { model_spec: spec("half_plus_two") }),
    unknown: await ask(prediction, "Predict", { model_spec: spec("nobody"), inputs: map({ x: halves }) }),
    wrong: await ask(prediction, "Predict", { model_spec: spec("half_plus_two"), inputs: map({ z: halves }) }),
  };
  console.log(JSON.stringify(found));
  prediction.close();
  models.close();
}

main();
