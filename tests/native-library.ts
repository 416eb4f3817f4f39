import { buildNative } from "../tools/build-native.ts";

// Runs before all tests, so that kernels are tested from the sources as they are wherever there is a C compiler.
const { kind, message } = buildNative();
if (kind !== "current") console.error(message);
