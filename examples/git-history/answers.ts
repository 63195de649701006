import type { Store, Token } from '../../src/index.ts'
import { activity, contributorsV2, files } from './projections.ts'

/** What the projections say of one repository. */
export interface Answers {
  readonly contributors: readonly Contributor[]
  readonly files: readonly FileAnswer[]
  readonly days: readonly { readonly day: string; readonly commits: number }[]
}

export interface Contributor {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly commits: number
  readonly additions: number
  readonly deletions: number
  readonly merges: number
  readonly firstAt: Date
  readonly lastAt: Date
}

export interface FileAnswer {
  readonly id: string
  readonly path: string
  readonly changes: number
  readonly additions: number
  readonly deletions: number
  readonly authors: number
}

/** Queries the projections, once they have applied the commit of the token. */
export async function readAnswers(
  store: Store,
  repository: string,
  after: Token | undefined,
): Promise<Answers> {
  const wait = after === undefined ? {} : { after, timeoutMs: 120_000 }
  return {
    contributors: await readContributors(store, repository, wait),
    files: await readFiles(store, repository, wait),
    days: await readDays(store, repository, wait),
  }
}

type Wait = { readonly after?: Token; readonly timeoutMs?: number }

async function readContributors(
  store: Store,
  repository: string,
  wait: Wait,
): Promise<Contributor[]> {
  const db = await store.query(contributorsV2, wait)
  const rows = await db
    .selectFrom('contributors')
    .selectAll()
    .where('repository', '=', repository)
    .orderBy('commits', 'desc')
    .orderBy('author_id')
    .execute()
  return rows.map((row) => ({
    id: row.author_id,
    email: row.email,
    name: row.name,
    commits: row.commits,
    additions: Number(row.additions),
    deletions: Number(row.deletions),
    merges: row.merges,
    firstAt: row.first_at,
    lastAt: row.last_at,
  }))
}

async function readFiles(store: Store, repository: string, wait: Wait): Promise<FileAnswer[]> {
  const db = await store.query(files, wait)
  const rows = await db
    .selectFrom('files')
    .innerJoin('file_authors', (join) =>
      join
        .onRef('file_authors.repository', '=', 'files.repository')
        .onRef('file_authors.file_id', '=', 'files.file_id'),
    )
    .where('files.repository', '=', repository)
    .groupBy([
      'files.repository',
      'files.file_id',
      'path',
      'files.changes',
      'additions',
      'deletions',
    ])
    .select((eb) => [
      'files.file_id',
      'path',
      'files.changes',
      'additions',
      'deletions',
      eb.fn.countAll<bigint>().as('authors'),
    ])
    .orderBy('files.changes', 'desc')
    .orderBy('files.file_id')
    .execute()
  return rows.map((row) => ({
    id: row.file_id,
    path: row.path,
    changes: row.changes,
    additions: Number(row.additions),
    deletions: Number(row.deletions),
    authors: Number(row.authors),
  }))
}

async function readDays(store: Store, repository: string, wait: Wait) {
  const db = await store.query(activity, wait)
  return db
    .selectFrom('days')
    .select(['day', 'commits'])
    .where('repository', '=', repository)
    .orderBy('day')
    .execute()
}
