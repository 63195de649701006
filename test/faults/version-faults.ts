import { join } from 'node:path'
import { Child } from './child.ts'
import { chooseVersionChange, type VersionState } from './choose-version-change.ts'
import type { FailpointRule } from './failpoint-rule.ts'
import type { Fault, FaultContext } from './fault-context.ts'
import type { VersionSettings } from './processes/change-version.ts'

const program = join(import.meta.dirname, 'processes/change-version.ts')

/** Changes of the subscriptions while everything runs; a part of them dies on the way. */
export const versionFaults = {
  'version changed': async (context) => {
    const { rows } = await context.server.pool.query<VersionState>(
      "select version, state from tidemark.projections where name = 'accounts' order by version",
    )
    const { random } = context
    return changeVersion(context, { ...chooseVersionChange(rows, random), rule: drawRule(context) })
  },

  /** The projection goes with its tables; a worker that knows it begins it anew. */
  'subscription removed': async (context) =>
    changeVersion(context, { change: 'remove', version: 1, rule: null }),
} as const satisfies Record<string, Fault>

function drawRule({ random }: FaultContext): FailpointRule | null {
  if (random.chance(0.5)) return null
  const act = random.chance(0.7) ? 'kill' : random.between(100, 2_000)
  return random.chance(0.6)
    ? { failpoint: 'version-switched', reach: 1, act }
    : { failpoint: 'chunk-applied', reach: random.between(1, 20), act }
}

async function changeVersion(context: FaultContext, settings: VersionSettings): Promise<boolean> {
  const { server, failpoints, faults, signal } = context
  let outcome = 'said nothing'
  let isKilled = false
  const child = new Child({
    program,
    env: {
      DATABASE_URL: server.connectionString,
      TIDEMARK_FAULTS_VERSION: JSON.stringify(settings),
    },
    onLine: (line) => {
      outcome = line
      if (!line.startsWith('failpoint ')) return
      failpoints.add(line.slice('failpoint '.length))
      isKilled = line.endsWith(' kill')
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
    faults.add('stuck', `to ${settings.change} a version ended with exit code ${code}: ${errors}`)
  }
  return isKilled || outcome === 'done'
}
