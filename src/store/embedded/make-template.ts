import { makeTemplate } from "./template.ts";

// A program of its own: `bun src/store/embedded/make-template.ts FILE`
await makeTemplate(process.argv[2]!);
