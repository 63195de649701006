/** A byte's place in the write-ahead log. Compare, never subtract into a number. */
export type Lsn = bigint

/**
 * Parses the server's form `16/B374D848`. The halves are hexadecimal and not padded.
 *
 * @throws RangeError when the text is not an LSN.
 */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
  if (match === null) throw new RangeError(`"${text}" is not an LSN`)
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)
}

/** Writes an LSN in the server's form. */
export function formatLsn(lsn: Lsn): string {
  const half = (value: bigint) => value.toString(16).toUpperCase()
  return `${half(lsn >> 32n)}/${half(lsn & 0xffff_ffffn)}`
}
