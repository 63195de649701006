import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type pg from 'pg'
import type { LogFilter } from '../../src/store/log-filter.ts'
import { sequenceNow } from '../sequencer/ledger.ts'
import type { TestDatabase } from '../support/database.ts'

/** What the events of a mixed log are made of: few enough that filters meet them. */
export const values = {
  categories: ['order', 'order-line', 'note', 'Order', 'o'],
  types: ['placed', 'paid', 'noted', 'rare'],
  tags: ['a', 'b', 'c'],
  correlations: ['c-1', 'c-2', `long-${'x'.repeat(495)}`],
  days: 10,
} as const

const firstDay = Date.UTC(2026, 0, 1)

/** The start of a day of the log, from 0. */
export function day(number: number): Date {
  return new Date(firstDay + number * 86_400_000)
}

/**
 * Writes a log of commits of many sizes, some of them written at the same time, so that insert ids,
 * transaction ids, times and positions are four different orders.
 */
export async function writeMixedLog(database: TestDatabase, seed: number): Promise<void> {
  const draw = drawer(seed)
  const writers = await Promise.all(
    [0, 1, 2].map(async (owner) => new Writer(owner, await database.client())),
  )
  for (let step = 0; step < 160; step += 1) {
    await writers[draw(writers.length)]?.step(draw)
    if (draw(30) === 0) await sequenceNow(database.pool)
  }
  for (const writer of writers) await writer.client.query('commit')
  await sequenceNow(database.pool)
  // What is not sequenced is not of the log.
  for (const { client, owner } of writers) await insertSome(client, owner, draw)
  await Promise.all(writers.map(({ client }) => client.end()))
}

/** One of several that write in turns, each in a transaction of its own. */
class Writer {
  readonly owner: number
  readonly client: pg.Client
  /** Statements that the transaction will still have; undefined when none is open. */
  #left: number | undefined

  constructor(owner: number, client: pg.Client) {
    this.owner = owner
    this.client = client
  }

  async step(draw: Draw): Promise<void> {
    if (this.#left === undefined) {
      await this.client.query('begin')
      this.#left = draw(12) === 0 ? 8 : draw(4)
    } else if (this.#left === 0) {
      await this.client.query(draw(8) === 0 ? 'rollback' : 'commit')
      this.#left = undefined
    } else {
      await insertSome(this.client, this.owner, draw)
      this.#left -= 1
    }
  }
}

type Draw = (below: number) => number

/** Draws numbers that are the same in each run. */
function drawer(seed: number): Draw {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Inserts one to five events. Each client has streams of its own, so that none waits for another. */
async function insertSome(client: pg.Client, owner: number, draw: Draw): Promise<void> {
  const pick = <T>(list: readonly T[]) => list[draw(list.length)] as T
  for (let n = draw(5); n >= 0; n -= 1) {
    const streamId = `${pick(values.categories)}-${owner}-${draw(3)}`
    const correlationId = draw(3) === 0 ? pick(values.correlations) : undefined
    await client.query(
      /* sql */ `
        insert into tidemark.events
          (stream_id, version, event_id, type, data, metadata, tags, recorded_at)
        select $1, coalesce(max(version), 0) + 1, $2, $3, '{}', $4, $5, $6
        from tidemark.events
        where stream_id = $1`,
      [
        streamId,
        randomUUID(),
        draw(25) === 0 ? 'rare' : pick(values.types.slice(0, 3)),
        JSON.stringify(correlationId === undefined ? {} : { correlationId }),
        values.tags.filter(() => draw(2) === 0),
        new Date(day(0).getTime() + draw(values.days * 86_400) * 1_000).toISOString(),
      ],
    )
  }
}

/** Draws a filter, often of several conditions. */
export const filters: fc.Arbitrary<LogFilter> = fc.record(
  {
    types: fc.subarray([...values.types, 'unheard-of']),
    category: fc.constantFrom(...values.categories, 'none'),
    tags: fc.subarray([...values.tags]),
    correlationId: fc.constantFrom(...values.correlations, 'c-9'),
    recordedFrom: fc.integer({ min: -1, max: values.days }).map(day),
    recordedTo: fc.integer({ min: -1, max: values.days + 1 }).map(day),
  },
  { requiredKeys: [] },
)
