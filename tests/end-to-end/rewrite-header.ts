import { readFileSync, writeFileSync } from "node:fs";
import { encodeHeader, FILE_HEAD, type JournalHeader } from "../../src/journal/format.ts";
import { readJournal } from "../../src/journal/reader.ts";

/** Gives a journal another header with a right checksum; its records stay. */
export function rewriteHeader(path: string, change: (header: JournalHeader) => JournalHeader): void {
  const { header } = readJournal(path);
  const bytes = readFileSync(path);
  const size = FILE_HEAD + bytes.readUInt32LE(12);
  writeFileSync(path, Buffer.concat([encodeHeader(change(header)), bytes.subarray((size + 7) & ~7)]));
}
