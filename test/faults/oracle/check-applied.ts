import type pg from 'pg'
import { readVersions } from './check-projections.ts'
import type { FaultList } from './fault-list.ts'
import type { TableName } from './fold-log.ts'

/** The lanes that write a table which counts its entries: what they have parked is not in it. */
const lanes: Partial<Readonly<Record<TableName, readonly string[]>>> = {
  balances: ['balances', 'batch'],
  folded: ['folded'],
  stepped: ['each'],
}

interface Row {
  readonly passed: string
  readonly applied: string
  readonly parked: string
}

/** The server's answers when a version was dropped after it was listed. */
const gone: ReadonlySet<unknown> = new Set(['42P01', '3F000'])

/**
 * Checks, while everything goes on, that each version has applied as many events as it has passed, but for
 * those that are parked: each exactly once. Each table is looked at in one snapshot, and its lock is held
 * before that is taken, so that a table which somebody empties is not seen beside what was before.
 *
 * A version that is inline has applied all events that the snapshot shows. One whose partitions stand at
 * different positions is not looked at.
 */
export async function checkApplied(
  asks: Pick<pg.ClientBase, 'query'>,
  faults: FaultList,
): Promise<void> {
  for (const { name, version, schema_name: schema, tables } of await readVersions(asks)) {
    for (const table of tables) {
      const parkedBy = lanes[table]
      if (parkedBy === undefined) continue
      const row = await readCounts(asks, { name, version, table: `${schema}.${table}`, parkedBy })
      if (row === undefined || BigInt(row.applied) + BigInt(row.parked) === BigInt(row.passed))
        continue
      const counts = `${row.applied} events applied and ${row.parked} parked`
      faults.add('projection', `${schema}.${table} has ${counts} of ${row.passed}`)
    }
  }
}

interface Counted {
  readonly name: string
  readonly version: number
  readonly table: string
  readonly parkedBy: readonly string[]
}

async function readCounts(
  asks: Pick<pg.ClientBase, 'query'>,
  { name, version, table, parkedBy }: Counted,
): Promise<Row | undefined> {
  try {
    const { rows } = await asks.query<Row>(
      /* sql */ `
      select
        case when s.is_inline then (select count(*) from tidemark.events) else s.position end as passed,
        (select coalesce(sum(entries), 0) from ${table}) as applied,
        (
          select count(*)
          from tidemark.parked_events as p
          where p.name = $1 and p.version = $2 and p.lane = any ($3)
        ) as parked
      from (
        select min(position) as position, bool_or(state = 'inline') as is_inline
        from tidemark.subscriptions
        where kind = 'projection' and name = $1 and version = $2
        having bool_or(state = 'inline') or min(position) = max(position)
      ) as s`,
      [name, version, parkedBy],
    )
    return rows[0]
  } catch (error) {
    if (gone.has((error as { code?: unknown }).code)) return undefined
    throw error
  }
}
