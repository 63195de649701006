import type pg from 'pg'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { LogNames } from './log-names.ts'

/** First server whose publications take a column list. */
const columnListVersionNumber = 150_000

const publishedTables = ['events', 'outbox'] as const
const publishedColumns = ['incarnation', 'transaction_id'] as const

interface PublicationRow {
  readonly inserts: boolean
  readonly others: boolean
  readonly tables: string[]
  /** Columns that are needed and that one of the tables lacks; null where the server has no lists. */
  readonly columns: readonly string[] | null
  readonly filtered: boolean
}

/**
 * Creates the publication of a log, of its events and its outbox, unless it stands; one that was made before
 * the outbox was there gets that too, by which its slot is not trusted any more. It carries inserts only
 * and, where the server can, only the columns that sequencing needs: a transaction of any size costs the
 * listener a counter.
 */
export async function ensurePublication(
  client: pg.ClientBase,
  names: LogNames,
  versionNumber: number,
): Promise<void> {
  const tables = await readPublishedTables(client, names)
  const outbox = publishedTable(names, 'outbox', versionNumber)
  if (tables === undefined) {
    await client.query(/* sql */ `
      create publication ${names.publication}
        for table ${publishedTable(names, 'events', versionNumber)}, ${outbox}
        with (publish = 'insert', publish_via_partition_root = true)`)
  } else if (tables.length === 1 && tables[0] === `${names.schema}.events`) {
    await client.query(`alter publication ${names.publication} add table ${outbox}`)
  }
  return verifyPublication(client, names, versionNumber)
}

function publishedTable({ schema }: LogNames, table: string, versionNumber: number): string {
  const hasLists = versionNumber >= columnListVersionNumber
  return `${schema}.${table}${hasLists ? ` (${publishedColumns.join(', ')})` : ''}`
}

/** @returns undefined when there is no such publication. */
async function readPublishedTables(
  client: pg.ClientBase,
  { publication }: LogNames,
): Promise<readonly string[] | undefined> {
  const { rows } = await client.query<{ tables: string[] }>(
    /* sql */ `
    select array(
      select t.schemaname || '.' || t.tablename
      from pg_publication_tables as t
      where t.pubname = p.pubname
    ) as tables
    from pg_publication as p
    where p.pubname = $1`,
    [publication],
  )
  return rows[0]?.tables
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
  const hasLists = versionNumber >= columnListVersionNumber
  const columns = hasLists
    ? `array(select c.name
        from unnest($2::text[]) as c (name)
        where exists (
          select from pg_publication_tables as t
          where t.pubname = p.pubname and not c.name = any (t.attnames::text[])
        ))`
    : 'null::text[]'
  const filtered = hasLists
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
    hasLists ? [names.publication, publishedColumns] : [names.publication],
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
  const expected = publishedTables.map((table) => `${names.schema}.${table}`)
  const missing = expected.find((table) => !row.tables.includes(table))
  if (missing !== undefined) return `lacks table "${missing}"`
  const others = row.tables.filter((table) => !expected.includes(table))
  if (others.length > 0) return `publishes other tables too: ${others.join(', ')}`
  if (row.filtered) return 'leaves out rows by a filter'
  if (row.columns !== null && row.columns.length > 0) {
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
