import { setDefaultTimeout } from "bun:test";

// Runs before all tests. A test ends because of what it finds; the limit is for one that hangs, and far beyond what any
// takes on a machine with many others at work. So no test has one of its own.
const LIMIT = 300_000;
setDefaultTimeout(LIMIT);
