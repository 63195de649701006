import type pg from 'pg'

export interface LogRow {
  readonly position: bigint
  readonly streamId: string
  readonly version: bigint
  readonly type: string
  readonly data: unknown
}

/** What `read_log` returns: events, and the row that ends the run. */
export interface Run {
  readonly events: readonly LogRow[]
  readonly end: { readonly position: bigint; readonly insertId: string | null }
}

export interface ReadOptions {
  readonly after?: bigint
  readonly maxEvents?: number
  readonly types?: readonly string[] | null
  /** `insertId` of the row that ended the run before. */
  readonly hint?: string | null
}

type Queryable = pg.Pool | pg.ClientBase

/** Appends events of the given types to a stream; `data` counts them up over the whole file. */
export async function appendTypes(
  client: Queryable,
  streamId: string,
  types: readonly string[],
): Promise<void> {
  const events = types.map((type) => {
    numbers += 1
    return { type, data: numbers }
  })
  await client.query(`select tidemark.append($1, 'any', $2)`, [streamId, JSON.stringify(events)])
}

let numbers = 0

/** Writes every commit that is visible into the ledger, as a new leader does. */
export async function sequence(client: Queryable): Promise<void> {
  await client.query(/* sql */ `
    select s.*
    from tidemark.sequencer
    cross join lateral tidemark.sequence_from_table(generation, 'x', pg_current_snapshot(), '0/1') as s`)
}

/** Reads one run of the log. */
export async function readRun(client: Queryable, options: ReadOptions = {}): Promise<Run> {
  const { after = 0n, maxEvents = 1_000, types = null, hint = null } = options
  const { rows } = await client.query('select * from tidemark.read_log($1, $2, $3, $4)', [
    after.toString(),
    maxEvents,
    types,
    hint,
  ])
  const last = rows.at(-1)
  if (last === undefined || last.stream_id !== null) throw new Error('no row ends the run')
  return {
    events: rows.slice(0, -1).map(toLogRow),
    end: { position: BigInt(last.position), insertId: last.insert_id },
  }
}

/** Reads the log run by run until there is nothing more. */
export async function readRuns(
  client: Queryable,
  options: Omit<ReadOptions, 'after' | 'hint'> & { readonly hints?: boolean },
): Promise<Run[]> {
  const { hints = false, ...read } = options
  const runs: Run[] = []
  for (let end: Run['end'] = { position: 0n, insertId: null }; ; ) {
    const run = await readRun(client, {
      ...read,
      after: end.position,
      hint: hints ? end.insertId : null,
    })
    if (run.end.position === end.position) return runs
    runs.push(run)
    end = run.end
  }
}

/** Reads the log as people do, through the view. */
export async function readView(client: Queryable): Promise<LogRow[]> {
  const { rows } = await client.query('select * from tidemark.log order by position')
  return rows.map(toLogRow)
}

/** Reads the commits of the ledger: where each ends and how long it is. */
export async function readCommits(client: Queryable): Promise<{ end: bigint; size: number }[]> {
  const { rows } = await client.query(
    'select position, event_count from tidemark.commits order by position',
  )
  return rows.map((row) => ({ end: BigInt(row.position), size: row.event_count }))
}

function toLogRow(row: Record<string, unknown>): LogRow {
  return {
    position: BigInt(String(row.position)),
    streamId: String(row.stream_id),
    version: BigInt(String(row.version)),
    type: String(row.type),
    data: row.data,
  }
}
