import { Child } from '../child.ts'
import type { FailpointRule } from '../failpoint-rule.ts'
import type { FaultContext } from './fault-context.ts'

/** What became of a process: what it said last, or that it was killed. */
export type Outcome = 'done' | 'refused' | 'killed'

export interface ChildRun {
  /** What it does, for a message. */
  readonly does: string
  /** A program of this suite that says `done` at its end, or `refused`. */
  readonly program: string
  /** In the environment, as JSON. */
  readonly settings: {
    readonly name: string
    readonly value: { readonly rule: FailpointRule | null }
  }
  readonly onLine?: (line: string) => void
}

/** Runs a process that may hurt itself to its end. It is killed when the faults come to an end. */
export async function runChild(
  { server, failpoints, faults, signal }: FaultContext,
  { does, program, settings, onLine }: ChildRun,
): Promise<Outcome> {
  let said: Outcome = 'refused'
  let isKilled = false
  const child = new Child({
    program,
    env: {
      ...server.env,
      [settings.name]: JSON.stringify(settings.value),
    },
    onLine: (line) => {
      if (line === 'done') said = 'done'
      onLine?.(line)
      if (!line.startsWith('failpoint ')) return
      failpoints.add(line.slice('failpoint '.length))
      isKilled ||= line.endsWith(' kill')
    },
  })
  const kill = () => {
    isKilled = true
    child.kill('SIGKILL')
  }
  signal.addEventListener('abort', kill, { once: true })
  const { code, errors } = await child.exit
  signal.removeEventListener('abort', kill)
  if (code !== 0 && !isKilled) {
    faults.add('stuck', `to ${does} ended with exit code ${code}: ${errors}`)
  }
  return isKilled ? 'killed' : said
}
