import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { toFastImport } from './synthetic-repository/fast-import.ts'
import { createHistory, type HistoryCommit } from './synthetic-repository/history.ts'

export interface SyntheticRepositoryOptions {
  /** How many commits HEAD reaches. */
  readonly commits: number
  /** The same seed makes the same commits, to the hash. */
  readonly seed: number
  /** People, besides the odd ones. Default: 400. */
  readonly authors?: number
  /** Files in each of the three biggest commits. Default: 3000. */
  readonly files?: number
  /** Default: false. Nothing is checked out in any case. */
  readonly bare?: boolean
}

/** What was written, counted while it was. Only commits that HEAD reaches. */
export interface SyntheticRepository {
  readonly directory: string
  readonly commits: number
  readonly merges: number
  readonly roots: number
  /** Commits, merges aside, that change nothing. */
  readonly emptyCommits: number
}

const DEFAULTS = { authors: 400, files: 3000, bare: false }

/** Pieces are gathered to about this size, since each write costs a system call. */
const CHUNK_CHARS = 65_536

/**
 * Writes a made-up git repository into a directory, which git creates: odd paths, authors, messages
 * and times, merges, renames, binary files, some huge commits. It depends on the options and on
 * nothing else. The tree stands in `test/support/synthetic-repository/`.
 *
 * @throws Error with git's words when git fails.
 */
export async function createSyntheticRepository(
  directory: string,
  options: SyntheticRepositoryOptions,
): Promise<SyntheticRepository> {
  const { bare, ...history } = { ...DEFAULTS, ...options }
  const init = ['init', '--quiet', '--template=', '--object-format=sha1']
  const kind = bare ? ['--bare'] : []
  await exit(git([...init, '--initial-branch=main', ...kind, '--', directory]))

  const counts = { commits: 0, merges: 0, roots: 0, emptyCommits: 0 }
  const count = (commit: HistoryCommit) => {
    if (commit.number <= options.commits) countCommit(counts, commit)
  }
  const importer = git(['-C', directory, 'fast-import', '--quiet', '--date-format=raw-permissive'])
  const written = pipeline(Readable.from(chunks(createHistory(history), count)), importer.stdin)
  // When git gives up, the write fails too; git's words say more.
  await Promise.all([exit(importer), written.catch(() => {})])
  return { directory, ...counts }
}

function* chunks(
  commits: Iterable<HistoryCommit>,
  count: (commit: HistoryCommit) => void,
): Generator<Buffer, void, undefined> {
  let text = 'feature done\n'
  for (const commit of commits) {
    count(commit)
    text += toFastImport(commit)
    if (text.length < CHUNK_CHARS) continue
    yield Buffer.from(text, 'latin1')
    text = ''
  }
  yield Buffer.from(`${text}done\n`, 'latin1')
}

function countCommit(
  counts: { commits: number; merges: number; roots: number; emptyCommits: number },
  { parents, changes }: HistoryCommit,
): void {
  counts.commits += 1
  if (parents.length > 1) counts.merges += 1
  if (parents.length === 0) counts.roots += 1
  if (parents.length < 2 && changes.length === 0) counts.emptyCommits += 1
}

function git(args: readonly string[]) {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  return spawn('git', args, { env, stdio: ['pipe', 'ignore', 'pipe'] })
}

async function exit(child: ReturnType<typeof git>): Promise<void> {
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code] = (await once(child, 'close')) as [ChildProcess['exitCode']]
  if (code !== 0) throw new Error(`git exited with code ${code}: ${said.trim()}`)
}
