/** What a table of a version has to keep: not its further indexes, which anybody may add. */
export interface TableShape {
  readonly name: string
  readonly columns: readonly ColumnShape[]
  readonly keys: readonly KeyShape[]
}

export interface ColumnShape {
  readonly name: string
  readonly type: string
  readonly isNullable: boolean
  readonly isGenerated: boolean
}

export interface KeyShape {
  readonly isPrimary: boolean
  readonly isPartial: boolean
  readonly columns: readonly string[]
}

/**
 * Tells the first thing in which tables are not as they were made: which table and column, what was
 * found and what is expected. Undefined when all is well.
 */
export function driftOf(
  expected: readonly TableShape[],
  found: readonly TableShape[],
): string | undefined {
  for (const table of expected) {
    const now = found.find(({ name }) => name === table.name)
    if (now === undefined) return `table "${table.name}" is not there any more`
    const drift = columnDrift(table, now) ?? keyDrift(table, now)
    if (drift !== undefined) return `table "${table.name}": ${drift}`
  }
  const added = found.find(({ name }) => !expected.some((table) => table.name === name))
  return added && `table "${added.name}" was added by hand`
}

function columnDrift(expected: TableShape, found: TableShape): string | undefined {
  for (const column of expected.columns) {
    const now = found.columns.find(({ name }) => name === column.name)
    const wanted = describeColumn(column)
    if (now === undefined) return `column "${column.name}" is not there: expected ${wanted}`
    if (describeColumn(now) !== wanted) {
      return `column "${column.name}": found ${describeColumn(now)}, expected ${wanted}`
    }
  }
  const added = found.columns.find(({ name }) => !expected.columns.some((c) => c.name === name))
  return added && `column "${added.name}": found ${describeColumn(added)}, expected no such column`
}

function keyDrift(expected: TableShape, found: TableShape): string | undefined {
  const now = found.keys.map(describeKey)
  const lost = expected.keys.map(describeKey).find((key) => !now.includes(key))
  return lost && `found ${now.join(', ') || 'no key'}, expected ${lost}`
}

function describeColumn({ type, isNullable, isGenerated }: ColumnShape): string {
  return `${type}${isGenerated ? ' generated' : ''}${isNullable ? '' : ' not null'}`
}

function describeKey({ isPrimary, isPartial, columns }: KeyShape): string {
  const kind = isPrimary ? 'primary key' : `unique${isPartial ? ' for some rows' : ''}`
  return `${kind} (${columns.join(', ')})`
}
