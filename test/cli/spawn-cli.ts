import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

export interface CliResult {
  /** Null when a signal ended the process. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCli extends AsyncDisposable {
  readonly child: ChildProcess
  /** What was written so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  /** Ends with the process. */
  readonly result: Promise<CliResult>
}

export interface SpawnOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

export const cliFile = join(import.meta.dirname, '../../src/cli/main.ts')

/** Starts the command line as a process of its own. Its disposal kills it. */
export function startCli(args: readonly string[], options: SpawnOptions): RunningCli {
  return start(process.execPath, [cliFile, ...args], options)
}

/** Runs the command line to its end. */
export async function runCli(args: readonly string[], options: SpawnOptions): Promise<CliResult> {
  await using cli = startCli(args, options)
  return await cli.result
}

/** Runs a line of shell, in which `$TIDEMARK` is the command line. */
export async function runShell(line: string, options: SpawnOptions): Promise<CliResult> {
  const env = { ...options.env, TIDEMARK: `${process.execPath} ${cliFile}` }
  await using shell = start('sh', ['-c', line], { ...options, env })
  return await shell.result
}

function start(program: string, args: readonly string[], { cwd, env }: SpawnOptions): RunningCli {
  const child = spawn(program, args, {
    cwd,
    env: { ...inherited(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  const result = once(child, 'close').then(() => ({
    code: child.exitCode,
    stdout: stdout(),
    stderr: stderr(),
  }))
  return {
    child,
    stdout,
    stderr,
    result,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await result
    },
  }
}

/** What a process needs to start, and to start fast; nothing that a test could depend on. */
function inherited(): Record<string, string> {
  const entries = ['PATH', 'NODE_COMPILE_CACHE'].map((name) => [name, process.env[name]])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  return () => text
}
