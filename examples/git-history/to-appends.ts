import type { NewEvent, StreamAppend } from '../../src/index.ts'
import { CommitRecorded, FileAdded, FileDeleted, FileModified, FileRenamed } from './events.ts'
import type { Commit, FileChange } from './git-log.ts'

/** Longest subject and name that are kept: messages of megabytes exist. In UTF-16 units. */
const maxTextLength = 1_000

/** Stream of a repository: one event per commit. */
export function repositoryStream(repository: string): string {
  return `repository-${repository}`
}

/**
 * Turns a commit into events: one on the repository's stream, which must be at the version before,
 * so that no commit is imported twice; and one on the stream of each file.
 *
 * @param version the repository stream's version before this commit.
 */
export function toAppends(repository: string, commit: Commit, version: bigint): StreamAppend[] {
  const streams = new Map<string, NewEvent[]>()
  for (const change of commit.files) {
    const streamId = `file-${repository}/${change.id}`
    const events = streams.get(streamId) ?? []
    events.push(fileEvent(repository, commit, change))
    streams.set(streamId, events)
  }
  return [
    {
      streamId: repositoryStream(repository),
      expect: version,
      events: [commitEvent(repository, commit)],
    },
    ...[...streams].map(([streamId, events]) => ({ streamId, events })),
  ]
}

function commitEvent(repository: string, commit: Commit): NewEvent {
  return CommitRecorded({
    ...author(repository, commit),
    hash: commit.hash,
    parents: [...commit.parents],
    authorName: shorten(commit.authorName),
    subject: shorten(commit.subject),
    files: commit.files.length,
    additions: sum(commit.files.map((file) => file.additions)),
    deletions: sum(commit.files.map((file) => file.deletions)),
  })
}

function fileEvent(repository: string, commit: Commit, change: FileChange): NewEvent {
  const data = {
    ...author(repository, commit),
    commit: commit.hash,
    fileId: change.id,
    path: change.path,
    isBinary: change.additions === null,
    additions: change.additions ?? 0,
    deletions: change.deletions ?? 0,
  }
  switch (change.kind) {
    case 'added':
      return FileAdded(data)
    case 'modified':
      return FileModified(data)
    case 'deleted':
      return FileDeleted(data)
    case 'renamed': {
      const { previousId = '', previousPath = '' } = change
      return FileRenamed({ ...data, previousId, previousPath })
    }
  }
}

function author(repository: string, commit: Commit) {
  return {
    repository,
    authorId: commit.authorId,
    authorEmail: shorten(commit.authorEmail),
    authoredAt: commit.authoredAt.toISOString(),
  }
}

function shorten(text: string): string {
  return text.slice(0, maxTextLength).toWellFormed()
}

function sum(counts: readonly (number | null)[]): number {
  return counts.reduce<number>((total, count) => total + (count ?? 0), 0)
}
