/**
 * Hashes a text as the server does: `hashtext`, which is the `hashlittle` of Bob Jenkins' lookup3
 * (https://burtleburtle.net/bob/c/lookup3.c, public domain) over the bytes of its UTF-8. So a statement in the server
 * and this process agree on who a key belongs to, at some 0.1 µs a key, where SHA-256 takes 2 µs
 * (2026-11-22). Servers hash their partitioned tables by it, so it stays; a start checks all the same.
 *
 * @returns 32 bits, signed.
 */
export function hashText(text: string): number {
  const bytes = text.length <= scratch.length / 3 ? scratch : Buffer.alloc(text.length * 3)
  return hashBytes(bytes, bytes.write(text))
}

/** UTF-8 takes at most three bytes for each unit of UTF-16. */
const scratch = Buffer.alloc(3 * 256)

function hashBytes(bytes: Buffer, length: number): number {
  let a = (0x9e_37_79_b9 + length + 3_923_095) | 0
  let b = a
  let c = a
  let at = 0
  for (; length - at >= 12; at += 12) {
    a = (a + bytes.readInt32LE(at)) | 0
    b = (b + bytes.readInt32LE(at + 4)) | 0
    c = (c + bytes.readInt32LE(at + 8)) | 0
    a = (a - c) ^ rotate(c, 4)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 6)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 8)
    b = (b + a) | 0
    a = (a - c) ^ rotate(c, 16)
    c = (c + b) | 0
    b = (b - a) ^ rotate(a, 19)
    a = (a + c) | 0
    c = (c - b) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  // What is left; the lowest byte of c stands for the length.
  const rest = (from: number, shift: number) =>
    at + from < length ? (bytes[at + from] ?? 0) << shift : 0
  a = (a + rest(0, 0) + rest(1, 8) + rest(2, 16) + rest(3, 24)) | 0
  b = (b + rest(4, 0) + rest(5, 8) + rest(6, 16) + rest(7, 24)) | 0
  c = (c + rest(8, 8) + rest(9, 16) + rest(10, 24)) | 0
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  return ((c ^ b) - rotate(b, 24)) | 0
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits))
}
