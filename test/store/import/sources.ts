import fc from 'fast-check'
import type pg from 'pg'
import { z } from 'zod'
import { event, type ImportedEvent } from '../../../src/index.ts'

export const Noted = event('note.noted').v(1, z.object({ text: z.string() }))

/** A source of `count` events, over a few streams by turns, with versions and times. */
export function* plainSource(name: string, count: number, streams = 7): Generator<ImportedEvent> {
  for (let n = 0; n < count; n += 1) {
    yield {
      streamId: `${name}-${n % streams}`,
      version: BigInt(Math.floor(n / streams) + 1),
      recordedAt: new Date(Date.UTC(2001, 0, 1) + n),
      event: Noted({ text: `${name} ${n}` }, { tags: [`source:${name}`] }),
    }
  }
}

/** What is in the log of the streams of a source, in the order of insertion. */
export async function readImported(pool: pg.Pool, name: string): Promise<readonly string[]> {
  const { rows } = await pool.query(
    /* sql */ `
    select e.stream_id, e.version, e.data ->> 'text' as text, e.recorded_at
    from tidemark.events as e
    where starts_with(e.stream_id, $1)
    order by e.insert_id`,
    [`${name}-`],
  )
  return rows.map(({ stream_id: streamId, version, text, recorded_at: recordedAt }) =>
    describe(streamId, BigInt(version), text, recordedAt),
  )
}

/** The same of a source. */
export function described(source: Iterable<ImportedEvent>): readonly string[] {
  return [...source].map(({ streamId, version = 0n, event, recordedAt }) =>
    describe(streamId, version, (event.data as { text: string }).text, recordedAt),
  )
}

function describe(streamId: string, version: bigint, text: string, at: Date | undefined): string {
  return `${streamId} ${version} ${text} ${at?.toISOString()}`
}

/** Text that Postgres can store, with what COPY and arrays treat in a special way. */
export const anyText = fc.oneof(
  fc.string({
    unit: fc.constantFrom('\\', '\t', '\n', '\r', '"', '{', '}', ',', '.', 'N', 'é', ' '),
  }),
  fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed() && !text.includes('\0')),
)
