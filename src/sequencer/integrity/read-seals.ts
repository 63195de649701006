import type { LogNames } from '../../db/log-names.ts'
import { type Connection, run } from '../../db/queryable.ts'

/** One row of the hash chain: a run of events. */
export interface Seal {
  /** Position of the run's last event. */
  readonly position: bigint
  readonly eventCount: number
  /** Null where the chain begins. */
  readonly previousHash: Buffer | null
  readonly hash: Buffer
  /** First bytes of the hash of each event of the run. */
  readonly digests: Buffer
}

/** How far a log and its seals reach, in one look. */
export interface SealedExtent {
  /** Last position in the ledger, as the sequencer says. */
  readonly head: bigint
  /** Hash with which the chain begins; null when its first row is gone. */
  readonly identity: Buffer | null
  /** The last seal that the table has. */
  readonly last: { readonly position: bigint; readonly hash: Buffer } | null
  /** The last seal that was written. */
  readonly recorded: { readonly position: bigint; readonly hash: Buffer }
}

interface SealRow {
  readonly position: string
  readonly event_count: string
  readonly previous_hash: string | null
  readonly hash: string
  readonly digests: string
}

interface ExtentRow {
  readonly head: string
  readonly identity: string | null
  readonly last_position: string | null
  readonly last_hash: string | null
  readonly recorded_position: string
  readonly recorded_hash: string
}

// As text, whatever the connection makes of a bytea.
const sealColumns = `s.position::text, s.event_count::text, encode(s.previous_hash, 'hex') as
        previous_hash, encode(s.hash, 'hex') as hash, encode(s.digests, 'hex') as digests`

// A seal of 5,000 events has 40 kB of digests.
const pageSize = 100

/** Reads the first seals that end at a position or after it, in order. */
export async function readSeals(
  connection: Connection,
  names: LogNames,
  from: bigint,
  limit: number = pageSize,
): Promise<readonly Seal[]> {
  const rows = await run<SealRow>(connection, {
    name: `tidemark-seals-${names.schema}`,
    text: /* sql */ `
      select ${sealColumns}
      from ${names.schema}.seals as s
      where s.position >= $1
      order by s.position
      limit $2`,
    values: [from.toString(), limit],
  })
  return rows.map(toSeal)
}

/** Reads the last seal before a position; undefined when there is none. */
export async function readSealBefore(
  connection: Connection,
  names: LogNames,
  position: bigint,
): Promise<Seal | undefined> {
  const rows = await run<SealRow>(connection, {
    text: /* sql */ `
      select ${sealColumns}
      from ${names.schema}.seals as s
      where s.position < $1
      order by s.position desc
      limit 1`,
    values: [position.toString()],
  })
  return rows[0] && toSeal(rows[0])
}

/** Reads how far the log and its seals reach, in one snapshot. */
export async function readSealedExtent(
  connection: Connection,
  names: LogNames,
): Promise<SealedExtent> {
  const [row] = (await run<ExtentRow>(connection, {
    text: /* sql */ `
      select
        q.position::text as head,
        (select encode(g.hash, 'hex') from ${names.schema}.seals as g where g.position = 0) as identity,
        s.position::text as last_position,
        encode(s.hash, 'hex') as last_hash,
        h.position::text as recorded_position,
        encode(h.hash, 'hex') as recorded_hash
      from ${names.schema}.sequencer as q
      cross join ${names.schema}.seal_head as h
      left join lateral (
        select l.position, l.hash
        from ${names.schema}.seals as l
        order by l.position desc
        limit 1
      ) as s on true`,
  })) as [ExtentRow]
  return {
    head: BigInt(row.head),
    identity: row.identity === null ? null : fromHex(row.identity),
    last:
      row.last_position === null || row.last_hash === null
        ? null
        : { position: BigInt(row.last_position), hash: fromHex(row.last_hash) },
    recorded: { position: BigInt(row.recorded_position), hash: fromHex(row.recorded_hash) },
  }
}

function toSeal(row: SealRow): Seal {
  return {
    position: BigInt(row.position),
    eventCount: Number(row.event_count),
    previousHash: row.previous_hash === null ? null : fromHex(row.previous_hash),
    hash: fromHex(row.hash),
    digests: fromHex(row.digests),
  }
}

function fromHex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
