/**
 * Unpacks one LZ4 frame (the format of lz4 1.x: github.com/lz4/lz4, doc/lz4_Frame_format.md and lz4_Block_format.md),
 * which is what feather files are packed with. The packages there are for it are unmaintained or native; the format is
 * closed and a page long. Checksums in the frame are not compared.
 *
 * @throws RangeError for bytes that are no whole frame
 */
export function unpackLz4Frame(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 7 || view.getUint32(0, true) !== MAGIC) throw new RangeError("no LZ4 frame");
  const flags = frame[4]!;
  if (flags >> 6 !== 1) throw new RangeError(`LZ4 frame of version ${flags >> 6}`);
  const [blockChecksum, hasSize, hasDictionary] = [flags & 0x10, flags & 0x08, flags & 0x01];
  if (hasDictionary) throw new RangeError("LZ4 frame with a dictionary");
  const output = new Output(4 * frame.length);
  for (let at = 4 + 2 + (hasSize ? 8 : 0) + 1; ; ) {
    if (at + 4 > frame.length) throw new RangeError("LZ4 frame is cut short");
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return output.bytes.subarray(0, output.length);
    const size = word & 0x7fff_ffff;
    if (at + size > frame.length) throw new RangeError("LZ4 frame is cut short");
    const block = frame.subarray(at, at + size);
    if (word >>> 31 === 1) output.append(block);
    else unpackBlock(block, output);
    at += size + (blockChecksum ? 4 : 0);
  }
}

const MAGIC = 0x184d2204;
const SHORTEST_MATCH = 4;

/** A block is a row of: literals, and a match of bytes that were unpacked before, in this block or an earlier one. */
function unpackBlock(block: Uint8Array, output: Output): void {
  let at = 0;
  const next = () => {
    if (at >= block.length) throw new RangeError("LZ4 block is cut short");
    return block[at++]!;
  };
  // A nibble of 15 is continued by bytes, the last of which is not 255.
  const length = (nibble: number) => {
    let total = nibble;
    if (nibble === 15) {
      let byte: number;
      do {
        byte = next();
        total += byte;
      } while (byte === 255);
    }
    return total;
  };
  while (at < block.length) {
    const token = next();
    const literals = length(token >> 4);
    if (at + literals > block.length) throw new RangeError("LZ4 block is cut short");
    output.append(block.subarray(at, at + literals));
    at += literals;
    // The last row has no match.
    if (at === block.length) return;
    const distance = next() | (next() << 8);
    if (distance === 0 || distance > output.length) throw new RangeError("LZ4 block refers to what is not there");
    output.repeat(distance, length(token & 15) + SHORTEST_MATCH);
  }
}

/** Bytes that grow. */
class Output {
  bytes: Uint8Array;
  length = 0;

  constructor(room: number) {
    this.bytes = new Uint8Array(room);
  }

  append(piece: Uint8Array): void {
    this.#reserve(piece.length);
    this.bytes.set(piece, this.length);
    this.length += piece.length;
  }

  /** Appends `count` bytes that begin `distance` before the end; where they overlap with themselves they repeat. */
  repeat(distance: number, count: number): void {
    this.#reserve(count);
    const { bytes, length } = this;
    for (let i = 0; i < count; i++) bytes[length + i] = bytes[length + i - distance]!;
    this.length += count;
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(2 * needed);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
