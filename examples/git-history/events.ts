import { z } from 'zod'
import { event } from '../../src/index.ts'

const author = {
  /** Which import the event belongs to: several repositories fit into one log. */
  repository: z.string(),
  /** Tells authors apart by the bytes of their e-mail. */
  authorId: z.string(),
  authorEmail: z.string(),
  authoredAt: z.string(),
}

const lines = { additions: z.int(), deletions: z.int() }

const file = {
  ...author,
  commit: z.string(),
  fileId: z.string(),
  path: z.string(),
  isBinary: z.boolean(),
  ...lines,
}

/** A commit, on the stream of its repository. Merges too; they have no lines. */
export const CommitRecorded = event('git.commit.recorded').v(
  1,
  z.object({
    ...author,
    ...lines,
    hash: z.string(),
    parents: z.array(z.string()),
    authorName: z.string(),
    subject: z.string(),
    files: z.int(),
  }),
)

/** What a commit did to a file, on the stream of the file. */
export const FileAdded = event('git.file.added').v(1, z.object(file))
export const FileModified = event('git.file.modified').v(1, z.object(file))
export const FileDeleted = event('git.file.deleted').v(1, z.object(file))
export const FileRenamed = event('git.file.renamed').v(
  1,
  z.object({ ...file, previousId: z.string(), previousPath: z.string() }),
)

export const fileEvents = [FileAdded, FileModified, FileDeleted, FileRenamed] as const
export const allEvents = [CommitRecorded, ...fileEvents] as const
