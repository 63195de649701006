import { decodeText, identify } from './decode.ts'
import { isCommit, isRaw, type LogRecord } from './log-records.ts'

/** A commit as `git log --numstat` shows it. A merge has no files. */
export interface Commit {
  readonly hash: string
  readonly parents: readonly string[]
  readonly authorName: string
  /** As written in the commit (no mailmap); not folded to lower case. */
  readonly authorEmail: string
  /** Names the bytes of the e-mail: see `identify`. */
  readonly authorId: string
  /** The Unix epoch when the commit has no usable time. */
  readonly authoredAt: Date
  /** The first paragraph of the message, joined to one line by git. May be empty. */
  readonly subject: string
  readonly files: readonly FileChange[]
}

/** What a commit did to one file. A changed type counts as modified, a copy as added. */
export interface FileChange {
  readonly kind: 'added' | 'modified' | 'deleted' | 'renamed'
  readonly path: string
  /** Names the bytes of the path: see `identify`. */
  readonly id: string
  /** Where a renamed file was before. */
  readonly previousPath?: string
  readonly previousId?: string
  /** Lines; null for a binary file. */
  readonly additions: number | null
  readonly deletions: number | null
}

/** Gathers records to commits. */
export interface CommitBuilder {
  /** Returns the commit that the record shows to be complete: the one before it. */
  add(record: LogRecord): Commit | undefined
  /** Returns the last commit. To be called once, when git has ended well. */
  finish(): Commit | undefined
}

interface PendingFile {
  readonly kind: FileChange['kind']
  readonly path: Buffer
  readonly previousPath?: Buffer
  additions: number | null
  deletions: number | null
}

interface PendingCommit {
  readonly record: LogRecord
  readonly files: PendingFile[]
  /** How many files have been passed by the numstat lines: these come in the order of the raw. */
  counted: number
}

const KINDS = new Map<string, FileChange['kind']>([
  ['A', 'added'],
  ['C', 'added'],
  ['D', 'deleted'],
  ['M', 'modified'],
  ['R', 'renamed'],
  ['T', 'modified'],
])

/** 10000-01-01T00:00:00Z. Postgres does not read the ISO form of the years from there on. */
const END_OF_TIME_SECONDS = 253_402_300_800

/** Makes a {@link CommitBuilder} for the records of one `git log`. */
export function createCommitBuilder(): CommitBuilder {
  let pending: PendingCommit | undefined
  return {
    add(record) {
      if (isCommit(record)) {
        const complete = pending && toCommit(pending)
        pending = { record, files: [], counted: 0 }
        return complete
      }
      if (pending === undefined) throw unreadable(record)
      if (isRaw(record)) pending.files.push(toPendingFile(record))
      else countLines(pending, record)
      return undefined
    },
    finish: () => pending && toCommit(pending),
  }
}

function toPendingFile(record: LogRecord): PendingFile {
  const [head, first, second] = record
  const status = head.subarray(head.lastIndexOf(' ') + 1).toString('latin1')
  const kind = KINDS.get(status.charAt(0))
  if (kind === undefined || first === undefined) throw unreadable(record)
  const path = second ?? first
  // Without a numstat line of its own a file has changed in no line.
  const lines = { additions: 0, deletions: 0 }
  return kind === 'renamed'
    ? { kind, path, previousPath: first, ...lines }
    : { kind, path, ...lines }
}

function countLines(commit: PendingCommit, record: LogRecord): void {
  const [additions = '', deletions = ''] = record[0].toString('latin1').split('\t', 2)
  const path = record.at(2) ?? record[0].subarray(additions.length + deletions.length + 2)
  const file = nextFileAt(commit, path)
  if (file === undefined) throw unreadable(record)
  file.additions = lineCount(additions)
  file.deletions = lineCount(deletions)
}

function nextFileAt(commit: PendingCommit, path: Buffer): PendingFile | undefined {
  while (commit.counted < commit.files.length) {
    const file = commit.files[commit.counted]
    commit.counted += 1
    if (file?.path.equals(path)) return file
  }
  return undefined
}

function lineCount(text: string): number | null {
  return text === '-' ? null : Number(text)
}

function toCommit({ record, files }: PendingCommit): Commit {
  const [head, parents, time, name, email, subject] = record
  if (!parents || !time || !name || !email || !subject) throw unreadable(record)
  return {
    hash: head.subarray(head.indexOf(' ') + 1).toString('latin1'),
    parents: parents.toString('latin1').split(' ').filter(Boolean),
    authorName: decodeText(name),
    authorEmail: decodeText(email),
    authorId: identify(email),
    authoredAt: toDate(time.toString('latin1')),
    subject: decodeText(subject),
    files: files.map(toFileChange),
  }
}

function toFileChange({ path, previousPath, ...change }: PendingFile): FileChange {
  return {
    ...change,
    path: decodeText(path),
    id: identify(path),
    ...(previousPath && {
      previousPath: decodeText(previousPath),
      previousId: identify(previousPath),
    }),
  }
}

/** Git passes the digits on as they stand in the commit, if there are any, however many. */
function toDate(seconds: string): Date {
  const value = /^\d+$/.test(seconds) ? Number(seconds) : 0
  return new Date(value < END_OF_TIME_SECONDS ? value * 1000 : 0)
}

function unreadable(record: LogRecord): Error {
  return new Error(`git wrote a line that was not understood: ${JSON.stringify(String(record[0]))}`)
}
