import { exitCodes } from './exit-codes.ts'
import { StopSignals } from './stop-signals.ts'

/** What a command line runs in. */
export interface Host {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Current directory. */
  readonly cwd: string
  readonly stopSignals: StopSignals
}

/** This process, as a command line. */
export interface ProcessHost extends Host {
  /** Ends the process once everything is written, whatever a config file keeps open. */
  exit(code: number): Promise<never>
}

/** Makes a host of the process itself. */
export function processHost(): ProcessHost {
  const { stdout, stderr, env } = process
  const broken: NodeJS.ErrnoException[] = []
  // A reader that has seen enough (`tidemark status | head -1`) is no failure; a full disk is one.
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') broken.push(error)
    })
  }
  return {
    stdout,
    stderr,
    env,
    cwd: process.cwd(),
    stopSignals: new StopSignals(process, (code) => process.exit(code)),
    exit: async (code) => {
      await Promise.all([flushed(stdout), flushed(stderr)])
      const [error] = broken
      if (error !== undefined) stderr.write(`error UNEXPECTED: cannot write: ${error.message}\n`)
      process.exit(error !== undefined && code === exitCodes.ok ? exitCodes.unexpected : code)
    },
  }
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve())
  })
}
