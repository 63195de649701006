import type pg from 'pg'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import { advisoryLockKey, type LogNames } from '../../db/log-names.ts'
import { transaction } from '../../db/transaction.ts'
import { upcastFor } from '../../subscriptions/apply-lanes.ts'
import { type LogCursor, readRun } from '../../subscriptions/read-run.ts'
import type { Subscriber } from '../../subscriptions/subscriber.ts'
import { shedUnknown } from './shed-events.ts'

export interface ReplayShedOptions {
  /** Stops between two chunks. */
  readonly signal?: AbortSignal
  /** Called after each transaction, with the events that are replayed so far. */
  readonly onProgress?: (replayed: number) => void
}

/**
 * Enqueues what the events ask for that a reactor has passed over, in the order of the log. The jobs of a chunk
 * and the removal of its record are one transaction: however many processes replay at once, and
 * whatever crashes, each event is replayed once. What is passed over meanwhile is replayed, too.
 *
 * @returns how many events were replayed.
 * @throws SHED_EVENTS_UNKNOWN when there are none.
 * @throws HANDLER_FAILED for the first event whose handler throws: its chunk stays, and all that come after it.
 * @throws LOG_INCONSISTENT when an event is not in the log any more, as after a restore.
 */
export async function replayShed(
  pool: pg.Pool,
  names: LogNames,
  subscriber: Subscriber,
  { signal, onProgress }: ReplayShedOptions = {},
): Promise<number> {
  let replayed = 0
  while (signal?.aborted !== true) {
    const events = await transaction(pool, (client) => replayNext(client, names, subscriber))
    if (events === undefined) {
      if (replayed === 0) throw shedUnknown(subscriber.id.name)
      break
    }
    replayed += events
    onProgress?.(replayed)
  }
  return replayed
}

/** Replays the first chunk, one process at a time. @returns its events; undefined when there is none. */
async function replayNext(
  client: pg.PoolClient,
  names: LogNames,
  subscriber: Subscriber,
): Promise<number | undefined> {
  const { name } = subscriber.id
  // Before the statement that looks: what another process has replayed is not to be seen.
  const turn = advisoryLockKey(names.schema, `shed:${name}`).toString()
  await client.query('select pg_advisory_xact_lock($1)', [turn])
  const { rows } = await client.query<{ positions: string[] }>(
    /* sql */ `
    delete from ${names.schema}.shed_events
    where reactor = $1
      and id = (select min(id) from ${names.schema}.shed_events where reactor = $1)
    returning positions::text[] as positions`,
    [name],
  )
  if (rows[0] === undefined) return undefined
  const positions = rows[0].positions.map(BigInt)
  const stored = await readEvents(client, names, subscriber, positions)
  const events = stored.map((event) => upcastFor(subscriber, event))
  const after = (positions[0] ?? 0n) - 1n
  const chunk = { after, upto: positions.at(-1) ?? after, events }
  for (const lane of subscriber.lanes) await lane.apply(client, chunk)
  return events.length
}

/** Reads the run of the log that a chunk was. */
async function readEvents(
  client: pg.ClientBase,
  names: LogNames,
  { types }: Subscriber,
  positions: readonly bigint[],
): Promise<readonly SequencedEvent[]> {
  const wanted = new Set(positions)
  const [first = 0n, last = 0n] = [positions[0], positions.at(-1)]
  const found: SequencedEvent[] = []
  let after: LogCursor = { position: first - 1n, insertId: null }
  while (after.position < last) {
    const maxEvents = Number(last - after.position)
    const { events, end } = await readRun(client, names, { after, maxEvents, types })
    found.push(...events.filter(({ position }) => wanted.has(position)))
    if (end.position === after.position) break
    after = end
  }
  if (found.length === positions.length) return found
  const seen = new Set(found.map(({ position }) => position))
  throw eventMissing(positions.find((position) => !seen.has(position)) ?? first)
}

function eventMissing(position: bigint): TidemarkError {
  const reason = 'the event that was shed is not in the log, or its type is not read any more'
  return new TidemarkError('LOG_INCONSISTENT', `position ${position}: ${reason}`, {
    details: { position, reason },
  })
}
