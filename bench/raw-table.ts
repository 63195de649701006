import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import { connect, createPool } from '../src/db/connect.ts'
import { newEventId } from '../src/store/new-event-id.ts'
import { creditData } from './accounts.ts'
import type { BenchDatabase } from './bench-database.ts'

/** A table of the same columns, defaults, constraints and indexes as the log's, without triggers. */
export interface RawTable extends AsyncDisposable {
  /** Inserts one event by a prepared statement. */
  insert(streamId: string, version: number, account: number): Promise<void>
  /** Inserts events with versions from `after + 1` on by a prepared `insert … select unnest`. */
  insertMany(streamId: string, after: number, accounts: readonly number[]): Promise<void>
  /** Inserts events by one COPY. @returns how many there were. */
  copy(rows: AsyncIterable<RawRow>): Promise<number>
}

/** An event for {@link RawTable.copy}. */
export interface RawRow {
  readonly streamId: string
  readonly version: number
  readonly account: number
  readonly recordedAt: Date
}

const insertSql = /* sql */ `
  insert into bench.events (stream_id, version, event_id, type, schema_version, data, metadata)
  values ($1, $2, $3, $4, $5, $6, $7)`

const insertManySql = /* sql */ `
  insert into bench.events (stream_id, version, event_id, type, schema_version, data, metadata)
  select $1, $2::bigint + n.ordinality, n.event_id, n.type, n.schema_version, n.data::jsonb,
    n.metadata::jsonb
  from unnest($3::uuid[], $4::text[], $5::smallint[], $6::text[], $7::text[])
    with ordinality as n (event_id, type, schema_version, data, metadata, ordinality)`

const copySql = /* sql */ `
  copy bench.events
    (stream_id, version, event_id, type, schema_version, data, metadata, recorded_at)
  from stdin`

/** Makes the table, and a pool of as many connections as the store that it is compared with has. */
export async function createRawTable(
  database: BenchDatabase,
  connections: number,
): Promise<RawTable> {
  await database.execute('create schema bench')
  await database.execute('create table bench.events (like tidemark.events including all)')
  const { connectionString } = database
  const pool = createPool({ connectionString, applicationName: 'bench raw', max: connections })
  return {
    insert: async (streamId, version, account) => {
      await pool.query({
        name: 'insert',
        text: insertSql,
        values: [
          streamId,
          version,
          newEventId(),
          type,
          1,
          JSON.stringify(creditData(account)),
          '{}',
        ],
      })
    },
    insertMany: async (streamId, after, accounts) => {
      await pool.query({
        name: 'insert-many',
        text: insertManySql,
        values: [streamId, after, ...columns(accounts)],
      })
    },
    copy: async (rows) => {
      // COPY does not go with pipelining, and a connection of its own is what the import has, too.
      const client = await connect({ connectionString, pipeline: false })
      let count = 0
      const counted = async function* () {
        for await (const row of rows) {
          count += 1
          yield row
        }
      }
      await pipeline(copyLines(counted()), client.query(copyFrom(copySql)))
      await client.end()
      return count
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

const type = 'account.credited'

/** Characters that are sent at once. */
const chunkLength = 65_536

async function* copyLines(rows: AsyncIterable<RawRow>): AsyncGenerator<Buffer> {
  let text = ''
  for await (const { streamId, version, account, recordedAt } of rows) {
    const data = JSON.stringify(creditData(account))
    text += `${streamId}\t${version}\t${newEventId()}\t${type}\t1\t${data}\t{}\t`
    text += `${recordedAt.toISOString()}\n`
    if (text.length < chunkLength) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(text)
}

function columns(accounts: readonly number[]) {
  return [
    accounts.map(() => newEventId()),
    accounts.map(() => type),
    accounts.map(() => 1),
    accounts.map((account) => JSON.stringify(creditData(account))),
    accounts.map(() => '{}'),
  ]
}
