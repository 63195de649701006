/** Quotes a name for use in SQL. The only way in which names enter a statement. */
export function quoteIdent(name: string): string {
  if (name.includes('\0')) throw new RangeError('a name cannot contain U+0000')
  return `"${name.replaceAll('"', '""')}"`
}
