import { sql } from 'kysely'
import { bigint, integer, projection, table, text } from '../../../src/index.ts'
import {
  always,
  type Entry,
  entryInSql,
  entryOf,
  events,
  fold,
  step,
  sum,
  tables,
} from './levels.ts'

/** What the code with the defect cannot apply: on each level another withdrawal. */
const refused = { fold: -13, each: -29, batch: -57 }

/** The server refuses it as an integer. */
const tooLarge = 2 ** 31

const folded = table({
  account: text().primaryKey(),
  digest: integer(),
  entries: integer(),
  /** Position of the last event. */
  at: bigint(),
})

interface Folded {
  readonly digest: number
  readonly entries: number
  readonly at: bigint
}

/**
 * A projection that parks what it cannot apply. Some processes run its code with a defect, others have it
 * mended. On one level a handler throws, on one the server refuses what was written for one event, on one
 * what was written for all events of a chunk together.
 *
 * Its handler refuses, in every process, to go back: what is parked for that stays so, and is found.
 */
export function patient(hasDefect: boolean) {
  const foldInOrder = (row: Folded | null, event: Entry & { readonly position: bigint | null }) => {
    const at = event.position ?? 0n
    if (row !== null && row.at >= at) throw new Error(`goes back from ${row.at} to ${at}`)
    if (hasDefect && entryOf(event) === refused.fold) throw new Error('cannot fold that')
    return { ...fold(row, event), at }
  }
  const stepOrFail = (_db: unknown, event: Entry) => {
    const entry = entryOf(event)
    return step(event.data.account, hasDefect && entry === refused.each ? tooLarge : entry)
  }
  const entryOrFail = sql`
    case when ${entryInSql} = ${refused.batch} then 1 / (${entryInSql} - ${refused.batch}) else ${entryInSql} end`
  return projection('patient', {
    version: 1,
    events,
    tables: { ...tables, folded },
    onError: 'park',
    // Thousands wait behind one, until somebody retries them.
    maxParked: 1_000_000,
  })
    .fold('folded', { key: ({ data }) => ({ account: data.account }), on: always(foldInOrder) })
    .each({ key: ({ data }) => data.account, on: always(stepOrFail) })
    .batch((_db, relation) => sum(relation(), hasDefect ? entryOrFail : entryInSql))
}
