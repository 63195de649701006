import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'

/** Longest text that is its own identity. Stream ids are index keys, so they must stay short. */
const MAX_PLAIN_ID_BYTES = 400

const HASHED_PREFIX = 'sha256:'

/**
 * Decodes bytes from git for display. Valid UTF-8 is that text; what is not becomes U+FFFD. U+0000
 * is left out, because Postgres stores it neither in `text` nor in `jsonb`.
 *
 * Two different byte strings may look the same afterwards: {@link identify} tells them apart.
 */
export function decodeText(bytes: Buffer): string {
  return bytes.toString('utf8').replaceAll('\0', '')
}

/**
 * Names bytes from git so that different bytes have different names, in a form that suits a
 * stream id: the text itself when it is valid UTF-8 of 1 to 400 bytes without U+0000, else
 * `sha256:` and the hash of the bytes in hexadecimal. Text that begins with `sha256:` is hashed
 * too, so that no path can pass itself off as another one's hash.
 */
export function identify(bytes: Buffer): string {
  return isPlain(bytes)
    ? bytes.toString('utf8')
    : HASHED_PREFIX + createHash('sha256').update(bytes).digest('hex')
}

function isPlain(bytes: Buffer): boolean {
  return (
    bytes.length > 0 &&
    bytes.length <= MAX_PLAIN_ID_BYTES &&
    !bytes.includes(0) &&
    isUtf8(bytes) &&
    !bytes.subarray(0, HASHED_PREFIX.length).equals(Buffer.from(HASHED_PREFIX))
  )
}
