// A worker that may hurt itself. Tells on its standard output when it leads, reaches a failpoint or
// reports an error. Ends with whoever started it.
import { writeSync } from 'node:fs'
import { isTidemarkError, runWorker } from '../../../src/index.ts'
import type { SequencerMode } from '../../../src/sequencer/term-settings.ts'
import { largeDeposits } from '../../worker/fixtures/accounts.ts'
import { type LateReactor, lateReactor } from '../definitions/late-reactor.ts'
import { deposits, outgoing } from '../definitions/messages.ts'
import { type Extent, projectionsOf } from '../definitions/projections.ts'
import { type FailpointRule, obeyRule } from '../failpoint-rule.ts'

/** Given in the environment, as JSON. */
export interface WorkerSettings {
  readonly mode: SequencerMode
  readonly rule: FailpointRule | null
  readonly projections: Extent
  /** Whether its code cannot apply some events. */
  readonly hasDefect: boolean
  /** Reactors that were added to the one that is always there. */
  readonly reactors: readonly LateReactor[]
  /** Where messages are published to; null when none are. */
  readonly brokerUrl: string | null
}

const { mode, rule, projections, hasDefect, reactors, brokerUrl } = JSON.parse(
  process.env.TIDEMARK_FAULTS_WORKER ?? '',
) as WorkerSettings
if (rule !== null) obeyRule(rule)

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
process.stdin.once('end', () => process.exit(1)).resume()

const worker = runWorker(
  {
    connectionString: process.env.DATABASE_URL ?? '',
    projections: projectionsOf(projections, hasDefect),
    reactors: [largeDeposits, ...reactors.map(lateReactor)],
    ...(brokerUrl === null ? {} : { routes: [deposits], relays: [outgoing(brokerUrl)] }),
    batchSize: 100,
    maxAttempts: 2,
    pollIntervalMs: 200,
    mode,
    logger: {
      debug: () => {},
      warn: () => {},
      info: (_fields, message) => {
        if (message.startsWith('leading the sequencer')) tell('leading')
      },
      // Names the key when it says that an event was parked.
      error: (fields, message) => {
        tell(`${'key' in fields ? 'parked' : 'error'} ${message.replaceAll('\n', ' ')}`)
      },
    },
  },
  stop.signal,
)
tell('running')
try {
  await worker
} catch (error) {
  // At the start only, as it says: whoever runs it starts it again.
  if (!isTidemarkError(error, 'CONNECTION_FAILED')) throw error
  tell('not started')
}
process.stdin.destroy()

function tell(line: string): void {
  writeSync(1, `${line}\n`)
}
