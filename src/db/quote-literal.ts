/** Quotes a text as a constant in SQL, for statements that take no parameters. */
export function quoteLiteral(value: string): string {
  if (value.includes('\0')) throw new RangeError('a text cannot contain U+0000')
  const quoted = `'${value.replaceAll("'", "''")}'`
  // Whether a backslash escapes within plain quotes is a setting.
  return value.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted
}
