import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from './log-names.ts'

/** First server whose publications take a column list. */
const columnListVersionNumber = 150_000

const publishedColumns = ['incarnation', 'transaction_id'] as const

interface PublicationRow {
  readonly inserts: boolean
  readonly others: boolean
  readonly tables: string[]
  readonly columns: string[] | null
  readonly filtered: boolean
}

/**
 * Creates the publication of the event log unless it stands. It carries inserts only and, where the
 * server can, only the columns that sequencing needs: a transaction of any size costs the listener
 * a counter.
 */
export async function ensurePublication(
  client: pg.ClientBase,
  names: LogNames,
  versionNumber: number,
): Promise<void> {
  const { rowCount } = await client.query('select from pg_publication where pubname = $1', [
    names.publication,
  ])
  if (rowCount !== 0) return verifyPublication(client, names, versionNumber)
  const columns =
    versionNumber >= columnListVersionNumber ? ` (${publishedColumns.join(', ')})` : ''
  await client.query(/* sql */ `
    create publication ${names.publication}
      for table ${names.schema}.events${columns}
      with (publish = 'insert', publish_via_partition_root = true)`)
}

/**
 * Verifies that the publication carries what the sequencer relies on. A server that finds it missing
 * only while it decodes gives at most a warning, and then events would never be sequenced.
 *
 * @throws PUBLICATION_INVALID with the remedy.
 */
export async function verifyPublication(
  client: pg.ClientBase,
  names: LogNames,
  versionNumber: number,
): Promise<void> {
  const columns =
    versionNumber >= columnListVersionNumber
      ? `(select t.attnames::text[] from pg_publication_tables as t
          where t.pubname = p.pubname and t.schemaname = $2 and t.tablename = 'events')`
      : 'null::text[]'
  const filtered =
    versionNumber >= columnListVersionNumber
      ? `exists (select from pg_publication_tables as t
          where t.pubname = p.pubname and t.rowfilter is not null)`
      : 'false'
  const { rows } = await client.query<PublicationRow>(
    /* sql */ `
    select
      p.pubinsert as inserts,
      p.pubupdate or p.pubdelete or p.pubtruncate as others,
      array(
        select t.schemaname || '.' || t.tablename
        from pg_publication_tables as t
        where t.pubname = p.pubname
      ) as tables,
      ${columns} as columns,
      ${filtered} as filtered
    from pg_publication as p
    where p.pubname = $1`,
    versionNumber >= columnListVersionNumber
      ? [names.publication, names.schema]
      : [names.publication],
  )
  const fault = findFault(rows[0], names)
  if (fault === undefined) return
  throw new TidemarkError(
    'PUBLICATION_INVALID',
    `publication "${names.publication}" ${fault}. ` +
      `Run: drop publication if exists ${names.publication}; then migrate again.`,
    { details: { publication: names.publication, reason: fault } },
  )
}

function findFault(row: PublicationRow | undefined, names: LogNames): string | undefined {
  if (row === undefined) return 'does not exist'
  if (!row.inserts) return 'does not publish inserts'
  if (row.others) return 'publishes more than inserts'
  if (!row.tables.includes(`${names.schema}.events`)) return `lacks table "${names.schema}.events"`
  if (row.tables.length > 1) return `publishes other tables too: ${row.tables.join(', ')}`
  if (row.filtered) return 'leaves out rows by a filter'
  if (row.columns !== null && !publishedColumns.every((column) => row.columns?.includes(column))) {
    return `lacks one of the columns ${publishedColumns.join(', ')}`
  }
  return undefined
}

/** Reads what tells whether the publication is as it was; null when there is none. */
export async function readPublicationFingerprint(
  client: pg.ClientBase,
  { schema, publication }: LogNames,
): Promise<string | null> {
  const { rows } = await client.query<{ fingerprint: string | null }>(
    `select ${schema}.publication_fingerprint($1) as fingerprint`,
    [publication],
  )
  return rows[0]?.fingerprint ?? null
}
