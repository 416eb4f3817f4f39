import { deflateSync } from "node:zlib";

/** Colours of a picture: red, green and blue, 0 to 255 each. */
export type Palette = readonly (readonly [number, number, number])[];

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** One byte per pixel, an index into the palette (PNG specification, 11.2.1). */
const INDEXED = 3;

/**
 * A PNG of pixels that are indices into a palette, row by row from the top (W3C Portable Network Graphics, third edition).
 * @throws RangeError where the number of pixels is not width times height
 */
export function encodePng(width: number, height: number, pixels: Uint8Array, palette: Palette): Uint8Array {
  if (pixels.length !== width * height) throw new RangeError(`${pixels.length} pixels are not ${width} x ${height}`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, INDEXED, 0, 0, 0], 8);
  // Each row begins with the number of its filter; 0 leaves it as it is.
  const rows = new Uint8Array(height * (width + 1));
  for (let row = 0; row < height; row++)
    rows.set(pixels.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  return Buffer.concat([
    Buffer.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from(palette.flat())),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** Length, name, data, and the checksum of name and data. */
function chunk(name: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(name, 4, "latin1");
  bytes.set(data, 8);
  bytes.writeUInt32BE(Bun.hash.crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}
