import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Commit, createCommitBuilder } from './commit-builder.ts'
import { gitAnswer, gitOutput } from './git-process.ts'
import { COMMIT_FORMAT, createRecordSplitter } from './log-records.ts'

export type { Commit, FileChange } from './commit-builder.ts'

/** Which commits to read. */
export interface ReadCommitsOptions {
  /** Only the newest so many, as `git log -n` selects them. Default: all. */
  readonly limit?: number
  /** Kills git and ends the iteration with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Git takes the number modulo 2^32, and a negative one for all. */
const MAX_GIT_LIMIT = 2 ** 31 - 1

/**
 * What changes the form of the output is fixed here. What changes its content stays the user's, so
 * that the figures are the ones that `git log --numstat` prints in the same place: `diff.renames`,
 * `diff.renameLimit`, `diff.algorithm`, `log.showRoot`, attributes, replaced commits.
 * `diff.relative` is the exception: a subdirectory stands for its whole repository.
 */
const LOG_ARGS = [
  '-c',
  'diff.relative=false',
  'log',
  '-z',
  '--raw',
  '--numstat',
  // Shortening each blob's id would cost a look-up a file.
  '--no-abbrev',
  '--no-color',
  '--no-ext-diff',
  '--no-show-signature',
  '--encoding=UTF-8',
  `--format=tformat:${COMMIT_FORMAT}`,
]

/**
 * Reads the commits that HEAD reaches, oldest first: `git log` read backwards. That is the order of
 * commit times, so a commit whose clock was wrong may come before a parent of it.
 *
 * Holds one commit and one chunk of git's output at a time; git waits while the consumer is busy.
 * (Git itself keeps the list of commits, because it must reverse it.)
 *
 * @throws Error with git's own words in one line when git fails or is killed. Every commit that was
 *   yielded before is complete.
 */
export async function* readCommits(
  repository: string,
  options: ReadCommitsOptions = {},
): AsyncGenerator<Commit, void, undefined> {
  const args = [...LOG_ARGS, '--reverse', ...limitArgs(options.limit), 'HEAD', '--']
  const splitter = createRecordSplitter()
  const builder = createCommitBuilder()
  for await (const chunk of gitOutput(repository, args, options.signal)) {
    for (const record of splitter.push(chunk)) {
      const commit = builder.add(record)
      if (commit === undefined) continue
      options.signal?.throwIfAborted()
      yield commit
    }
  }
  if (!splitter.isComplete()) throw new Error('the output of git ended in the middle of a commit')
  const last = builder.finish()
  if (last !== undefined) yield last
}

/** Counts the commits that {@link readCommits} delivers, without reading what they changed. */
export async function countCommits(repository: string, limit?: number): Promise<number> {
  const answer = await gitAnswer(repository, [
    'rev-list',
    '--count',
    ...limitArgs(limit),
    'HEAD',
    '--',
  ])
  return Number(answer.toString('latin1'))
}

/**
 * Finds the repository that a path means: a work tree, a directory in one, or a bare repository.
 * Returns the absolute path of the work tree's top, or of the repository itself.
 *
 * @throws Error in one line when there is none, when it has no commit at HEAD, or without git.
 */
export async function resolveRepository(path: string): Promise<string> {
  await requireDirectory(path)
  const root = await findRoot(resolve(path), path)
  if (!(await hasHead(root))) {
    throw new Error(`repository ${JSON.stringify(path)} has no commits on its current branch`)
  }
  return root
}

async function requireDirectory(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw new Error(`path ${JSON.stringify(path)} cannot be read: ${error.message}`, {
      cause: error,
    })
  })
  if (found === undefined) throw new Error(`path ${JSON.stringify(path)} does not exist`)
  if (!found.isDirectory()) throw new Error(`path ${JSON.stringify(path)} is not a directory`)
}

async function findRoot(directory: string, path: string): Promise<string> {
  try {
    const inside = await gitAnswer(directory, ['rev-parse', '--is-inside-work-tree'])
    const isInside = inside.toString('latin1').trim() === 'true'
    const flag = isInside ? '--show-toplevel' : '--absolute-git-dir'
    const answer = await gitAnswer(directory, ['rev-parse', flag])
    // Only git's own newline goes: a directory's name may end in one.
    return answer.toString('utf8').replace(/\n$/, '')
  } catch (error) {
    if (!isNotRepository(error)) throw error
    throw new Error(`${JSON.stringify(path)} is not in a git repository`, { cause: error })
  }
}

/** Git has one exit code for all that is fatal; its words, in English here, are what there is. */
function isNotRepository(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('fatal: not a git repository (or any')
}

async function hasHead(root: string): Promise<boolean> {
  try {
    await gitAnswer(root, ['rev-parse', '--quiet', '--verify', 'HEAD'])
    return true
  } catch (error) {
    // A branch without a commit is the one failure that `--quiet` leaves without words.
    if (error instanceof Error && error.message === 'git exited with code 1') return false
    throw error
  }
}

function limitArgs(limit: number | undefined): string[] {
  if (limit === undefined) return []
  if (!Number.isSafeInteger(limit) || limit < 0) {
    throw new Error(`limit ${limit} is not a whole number from 0`)
  }
  return ['-n', String(Math.min(limit, MAX_GIT_LIMIT))]
}
