import fc from "fast-check";

// Runs before all tests. Who works on the code gets new examples with each run, and meets what nobody has thought of;
// where a change is judged (CI=true) the examples are the same each time, so that what fails there is the change's doing.
const CI_SEED = 20261121;
if (process.env.CI === "true") fc.configureGlobal({ seed: CI_SEED });
