import { decodeText, identify } from './decode.ts'
import { gitOutput } from './git-process.ts'

/** What one author, told apart by e-mail, has done. */
export interface AuthorFigure {
  readonly id: string
  readonly email: string
  readonly commits: number
  /** Lines. Merges and binary files have none. */
  readonly additions: number
  readonly deletions: number
}

/** What has been done to one path. A rename counts at its new path. */
export interface FileFigure {
  readonly id: string
  readonly path: string
  readonly changes: number
  /** Lines. A change of a binary file has none. */
  readonly additions: number
  readonly deletions: number
}

interface Tally {
  count: number
  additions: number
  deletions: number
}

/**
 * Figures of the authors in the newest `limit` commits at HEAD, from git's output for people.
 *
 * This file checks what was made from `readCommits`, so it shares no parsing with it, on purpose:
 * it works on lines, or on numstat alone, and in Latin-1, where one character is one byte.
 */
export async function authorFigures(repository: string, limit?: number): Promise<AuthorFigure[]> {
  const tallies = new Map<string, Tally>()
  let author: Tally | undefined
  // Lines of numstat begin with a digit or a dash. Paths with odd characters are quoted.
  const args = ['--numstat', '--format=author %ae']
  for await (const line of pieces(log(repository, args, limit), '\n')) {
    if (line.startsWith('author ')) {
      author = tally(tallies, line.slice('author '.length))
      author.count += 1
    } else if (line !== '' && author !== undefined) {
      addLines(author, line.split('\t'))
    }
  }
  return [...tallies].map(([key, { count, ...lines }]) => {
    const email = bytes(key)
    return { id: identify(email), email: decodeText(email), commits: count, ...lines }
  })
}

/** Figures of the paths that the newest `limit` commits at HEAD changed. */
export async function fileFigures(repository: string, limit?: number): Promise<FileFigure[]> {
  const tallies = new Map<string, Tally>()
  const fields = pieces(log(repository, ['--numstat', '-z', '--format='], limit), '\0')
  for await (const field of fields) {
    if (field === '') continue
    const [additions, deletions, ...path] = field.split('\t')
    let newPath = path.join('\t')
    if (newPath === '') {
      await fields.next()
      newPath = (await fields.next()).value ?? ''
    }
    const file = tally(tallies, newPath)
    file.count += 1
    addLines(file, [additions, deletions])
  }
  return [...tallies].map(([key, { count, ...lines }]) => {
    const path = bytes(key)
    return { id: identify(path), path: decodeText(path), changes: count, ...lines }
  })
}

/** Counts the merges among the newest `limit` commits at HEAD: those with two parents or more. */
export async function countMerges(repository: string, limit?: number): Promise<number> {
  let merges = 0
  for await (const parents of pieces(log(repository, ['--format=%P'], limit), '\n')) {
    if (parents.includes(' ')) merges += 1
  }
  return merges
}

function log(
  repository: string,
  args: readonly string[],
  limit: number | undefined,
): AsyncIterable<Buffer> {
  // Git's own limit is 32 bits wide.
  const newest = limit === undefined ? [] : [`--max-count=${Math.min(limit, 0x7fff_ffff)}`]
  const plain = ['--no-color', '--no-show-signature', '--encoding=UTF-8']
  const config = ['-c', 'diff.relative=false']
  return gitOutput(repository, [...config, 'log', ...plain, ...args, ...newest, 'HEAD', '--'])
}

async function* pieces(
  chunks: AsyncIterable<Buffer>,
  separator: string,
): AsyncGenerator<string, void, undefined> {
  let rest = ''
  for await (const chunk of chunks) {
    const parts = (rest + chunk.toString('latin1')).split(separator)
    rest = parts.pop() ?? ''
    yield* parts
  }
  if (rest !== '') yield rest
}

function tally(tallies: Map<string, Tally>, key: string): Tally {
  const known = tallies.get(key)
  if (known !== undefined) return known
  const fresh = { count: 0, additions: 0, deletions: 0 }
  // A copy: the key is a slice that would keep its whole chunk of output in memory.
  tallies.set(bytes(key).toString('latin1'), fresh)
  return fresh
}

function addLines(to: Tally, [additions, deletions]: readonly (string | undefined)[]): void {
  if (additions === '-' || deletions === '-') return
  to.additions += Number(additions)
  to.deletions += Number(deletions)
}

function bytes(latin1: string): Buffer {
  return Buffer.from(latin1, 'latin1')
}
