import {
  bigint,
  boolean,
  date,
  type EventOf,
  integer,
  projection,
  table,
  text,
  timestamptz,
} from '../../src/index.ts'
import { CommitRecorded, fileEvents } from './events.ts'

type Commit = EventOf<typeof CommitRecorded>
type FileEvent = EventOf<(typeof fileEvents)[number]>

const contributorColumns = {
  repository: text().primaryKey(),
  author_id: text().primaryKey(),
  email: text(),
  name: text(),
  commits: integer(),
  additions: bigint(),
  deletions: bigint(),
  first_at: timestamptz(),
  last_at: timestamptz(),
}

const contributorKey = ({ data }: Commit) => ({
  repository: data.repository,
  author_id: data.authorId,
})

interface ContributorRow {
  readonly commits: number
  readonly additions: bigint
  readonly deletions: bigint
  readonly first_at: Date
  readonly last_at: Date
}

function countCommit(row: ContributorRow | null, { data }: Commit) {
  const at = new Date(data.authoredAt)
  return {
    email: data.authorEmail,
    name: data.authorName,
    commits: (row?.commits ?? 0) + 1,
    additions: (row?.additions ?? 0n) + BigInt(data.additions),
    deletions: (row?.deletions ?? 0n) + BigInt(data.deletions),
    first_at: row !== null && row.first_at < at ? row.first_at : at,
    last_at: row !== null && row.last_at > at ? row.last_at : at,
  }
}

/** Who contributed, by e-mail. */
export const contributors = projection('contributors', {
  version: 1,
  events: [CommitRecorded],
  tables: { contributors: table(contributorColumns) },
}).fold('contributors', { key: contributorKey, on: { 'git.commit.recorded': countCommit } })

/** The next version has one column more: how many of the commits are merges. */
export const contributorsV2 = projection('contributors', {
  version: 2,
  events: [CommitRecorded],
  tables: { contributors: table({ ...contributorColumns, merges: integer() }) },
}).fold('contributors', {
  key: contributorKey,
  on: {
    'git.commit.recorded': (row, commit) => ({
      ...countCommit(row, commit),
      merges: (row?.merges ?? 0) + (commit.data.parents.length > 1 ? 1 : 0),
    }),
  },
})

const fileColumns = {
  repository: text().primaryKey(),
  file_id: text().primaryKey(),
  path: text(),
  changes: integer(),
  additions: bigint(),
  deletions: bigint(),
  is_deleted: boolean(),
}

interface FileRow {
  readonly changes: number
  readonly additions: bigint
  readonly deletions: bigint
}

function countChange(row: FileRow | null, { data, type }: FileEvent) {
  return {
    path: data.path,
    changes: (row?.changes ?? 0) + 1,
    additions: (row?.additions ?? 0n) + BigInt(data.additions),
    deletions: (row?.deletions ?? 0n) + BigInt(data.deletions),
    is_deleted: type === 'git.file.deleted',
  }
}

const onEachFileEvent = <R>(reducer: R) => ({
  'git.file.added': reducer,
  'git.file.modified': reducer,
  'git.file.deleted': reducer,
  'git.file.renamed': reducer,
})

/** What happened to each path, and who touched it: two tables that change together. */
export const files = projection('files', {
  version: 1,
  events: fileEvents,
  tables: {
    files: table(fileColumns),
    file_authors: table({
      repository: text().primaryKey(),
      file_id: text().primaryKey(),
      author_id: text().primaryKey(),
      changes: integer(),
    }),
  },
})
  .fold('files', {
    key: ({ data }) => ({ repository: data.repository, file_id: data.fileId }),
    on: onEachFileEvent(countChange),
  })
  .fold('file_authors', {
    key: ({ data }) => ({
      repository: data.repository,
      file_id: data.fileId,
      author_id: data.authorId,
    }),
    on: onEachFileEvent((row: { readonly changes: number } | null) => ({
      changes: (row?.changes ?? 0) + 1,
    })),
  })

/** What happened on each day, in UTC. */
export const activity = projection('activity', {
  version: 1,
  events: [CommitRecorded],
  tables: {
    days: table({
      repository: text().primaryKey(),
      day: date().primaryKey(),
      commits: integer(),
      additions: bigint(),
      deletions: bigint(),
    }),
  },
}).fold('days', {
  key: ({ data }) => ({ repository: data.repository, day: data.authoredAt.slice(0, 10) }),
  on: {
    'git.commit.recorded': (row, { data }) => ({
      commits: (row?.commits ?? 0) + 1,
      additions: (row?.additions ?? 0n) + BigInt(data.additions),
      deletions: (row?.deletions ?? 0n) + BigInt(data.deletions),
    }),
  },
})
