import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** Keeps the end of what git said on stderr: a fatal error comes last. */
const MAX_STDERR_CHARS = 4096

/** Would point git at another repository than the one that was asked for (hooks export them). */
const LOCATING_VARIABLES = [
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_COMMON_DIR',
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_NAMESPACE',
  'GIT_PREFIX',
]

type GitProcess = ChildProcessByStdio<null, Readable, Readable>

/**
 * Runs git in a repository and yields its standard output as it comes. Git is held back while the
 * consumer is busy. When the consumer stops early or the signal aborts, git is killed; the
 * iteration ends only after the process is gone.
 *
 * @throws Error in one line when git is not installed, fails or is killed; the signal's reason when
 *   it aborts.
 */
export async function* gitOutput(
  repository: string,
  args: readonly string[],
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  signal?.throwIfAborted()
  const child = spawn('git', ['-C', repository, ...args], {
    env: gitEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal && { signal }),
  })
  if (child.pid === undefined) throw await startFailure(child)
  const ended = outcome(child)
  let exhausted = false
  try {
    yield* child.stdout
    exhausted = true
  } finally {
    // A git that has closed its output is about to exit by itself, with the code that counts.
    if (!exhausted) child.kill()
    await ended
  }
  signal?.throwIfAborted()
  const failure = await ended
  if (failure !== undefined) throw new Error(failure)
}

/** Runs git in a repository and returns all of its standard output. For short answers only. */
export async function gitAnswer(repository: string, args: readonly string[]): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of gitOutput(repository, args)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function startFailure(child: GitProcess): Promise<Error> {
  const [cause] = (await once(child, 'error')) as [NodeJS.ErrnoException]
  return cause.code === 'ENOENT'
    ? new Error('git was not found: install git and put it on the PATH', { cause })
    : new Error(`git could not be started: ${cause.message}`, { cause })
}

/** Resolves when the process is gone and its pipes are closed: to undefined, or to what failed. */
function outcome(child: GitProcess): Promise<string | undefined> {
  let said = ''
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    said = (said + text).slice(-MAX_STDERR_CHARS)
  })
  // An aborted signal arrives here too; the kill that follows is what ends the process.
  child.on('error', () => {})
  return new Promise((resolve) => {
    child.once('close', (code, killedBy) => {
      resolve(code === 0 ? undefined : describe(said, code, killedBy))
    })
  })
}

function describe(said: string, code: number | null, killedBy: string | null): string {
  const end = killedBy === null ? `exited with code ${code}` : `was killed by ${killedBy}`
  const words = said.replace(/\s+/g, ' ').trim()
  if (words === '') return `git ${end}`
  return killedBy === null ? words : `git ${end}: ${words}`
}

/** The caller's environment and configuration; messages in English, no locks, no questions. */
function gitEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    LC_ALL: 'C',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
  }
  for (const name of LOCATING_VARIABLES) delete environment[name]
  return environment
}
