import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { SequencerRole } from '../../src/sequencer/term-settings.ts'

/** A sequencer in a process of its own, as it runs by default. Its disposal kills it. */
export interface SequencerProcess extends AsyncDisposable {
  readonly leads: boolean
  /** Terms that it has led. */
  readonly terms: number
  /** What it has said so far. */
  readonly said: string
  signal(name: NodeJS.Signals): void
  /** Sends a signal, and waits for the end. @returns the exit code. */
  end(name: NodeJS.Signals): Promise<number | null>
}

export function spawnSequencer(connectionString: string): SequencerProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'sequencer-process.ts')], {
    env: { ...process.env, DATABASE_URL: connectionString },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let written = ''
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const end = async (name: NodeJS.Signals) => {
    child.kill(name)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  }
  const leader: SequencerRole = 'leader'
  const roles = () => written.split('\n').filter((line) => line !== '')
  return {
    get leads() {
      return roles().at(-1) === leader
    },
    get terms() {
      return roles().filter((role) => role === leader).length
    },
    get said() {
      return said
    },
    signal: (name) => child.kill(name),
    end,
    [Symbol.asyncDispose]: async () => {
      await end('SIGKILL')
    },
  }
}
