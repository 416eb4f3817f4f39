/** Field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), as far as they are used. */
export const MODEL = { irVersion: 1, producer: 2, producerVersion: 3, graph: 7, opset: 8, metadata: 14, functions: 25 };
export const OPSET = { domain: 1, version: 2 };
export const GRAPH = { node: 1, name: 2, initializer: 5, sparseInitializer: 15, input: 11, output: 12 };
export const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7 };
export const ATTRIBUTE = { name: 1, f: 2, i: 3, s: 4, t: 5, g: 6, floats: 7, ints: 8, strings: 9, type: 20 };
export const VALUE = { name: 1, type: 2 };
export const TYPE = { tensor: 1 };
export const TENSOR_TYPE = { element: 1, shape: 2 };
export const SHAPE = { dimension: 1 };
export const DIMENSION = { value: 1, parameter: 2 };
export const ENTRY = { key: 1, value: 2 };
export const TENSOR = { dimensions: 1, type: 2, floats: 4, name: 8, raw: 9, external: 13, location: 14 };

export const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, floats: 6, ints: 7, strings: 8 };
export const ELEMENT = { float: 1, int64: 7 };

/** The domain of the operators for trees. */
export const ML_DOMAIN = "ai.onnx.ml";
/** Key of our metadata that holds the names of the features as JSON. */
export const FEATURES_KEY = "features";
export const OBJECTIVE_KEY = "objective";
