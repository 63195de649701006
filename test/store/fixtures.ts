import type pg from 'pg'
import { z } from 'zod'
import { event, type NewEvent } from '../../src/core/event.ts'
import { eventRegistry } from '../../src/core/event-registry.ts'
import type { RecordedEvent } from '../../src/core/recorded-event.ts'
import { logNames } from '../../src/db/log-names.ts'
import type { Connection } from '../../src/db/queryable.ts'
import { appendToStream, appendToStreams } from '../../src/store/append.ts'
import type { AppendResult } from '../../src/store/append-outcome.ts'
import type { StreamAppend } from '../../src/store/check-append.ts'
import { readStream } from '../../src/store/read-stream.ts'

export const names = logNames()

export const Noted = event('noted').v(1, z.object({ n: z.number() }))

export const registry = eventRegistry([Noted])

/** Makes some events that can be told apart. */
export function noted(...numbers: number[]): NewEvent[] {
  return numbers.map((n) => Noted({ n }))
}

let streams = 0

/** Names a stream that no other test uses. */
export function newStream(category = 'note'): string {
  streams += 1
  return `${category}-${streams}`
}

/** Both ways to append to one stream; they have to do the same. */
export const waysToAppend = [
  [
    'appendToStream',
    (connection: Connection, append: StreamAppend) => appendToStream(connection, names, append),
  ],
  [
    'appendToStreams',
    async (connection: Connection, append: StreamAppend) => {
      const [result] = await appendToStreams(connection, names, [append])
      return result as AppendResult
    },
  ],
] as const

/** Reads a stream as it is stored, whatever its types. */
export function readStored(
  connection: Connection,
  streamId: string,
): Promise<readonly RecordedEvent[]> {
  const asStored = { ...registry, upcast: <E>(recorded: E) => recorded }
  return readStream(connection, names, asStored, streamId)
}

/** Reads the numbers of a stream's events, in the order of their versions. */
export async function readNumbers(connection: Connection, streamId: string): Promise<number[]> {
  const events = await readStream(connection, names, registry, streamId)
  return events.map(({ data }) => (data as { n: number }).n)
}

/** Counts the events of the log. */
export async function countEvents(client: pg.Pool | pg.ClientBase): Promise<number> {
  const { rows } = await client.query('select count(*)::integer as n from tidemark.events')
  return rows[0].n
}
