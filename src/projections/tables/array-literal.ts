/** Writes an array as the server reads it: `{"a","b\"c",NULL}`. */
export function encodeArray(items: readonly (string | null)[]): string {
  const quoted = items.map((item) =>
    item === null ? 'NULL' : `"${item.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
  )
  return `{${quoted.join(',')}}`
}

/**
 * Reads an array as the server writes it, of one dimension. An array of several, which no column of
 * ours declares, or one that does not begin at 1, comes back as undefined.
 */
export function decodeArray(literal: string): readonly (string | null)[] | undefined {
  if (literal === '{}') return []
  if (!/^\{(?!\{).*\}$/s.test(literal)) return undefined
  const items: (string | null)[] = []
  const item = /(?:"((?:[^"\\]|\\.)*)"|([^",]*))(?:,|$)/gsy
  const inside = literal.slice(1, -1)
  while (item.lastIndex < inside.length) {
    const match = item.exec(inside)
    if (match === null) return undefined
    const [, quoted, bare] = match
    if (quoted !== undefined) items.push(quoted.replace(/\\(.)/gs, '$1'))
    else items.push(bare === 'NULL' ? null : (bare ?? ''))
  }
  return items
}
