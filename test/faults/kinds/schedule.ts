import { pause } from '../../../src/db/wait.ts'
import { type Random, seededRandom } from '../../support/random.ts'
import type { Tally } from '../tally.ts'
import { pickWeighted, seedOf, type Weights } from '../weighted.ts'
import { appendFaults } from './append-faults.ts'
import { brokerFaults } from './broker-faults.ts'
import type { Fault, FaultContext } from './fault-context.ts'
import { serverFaults } from './server-faults.ts'
import { subscriptionFaults } from './subscription-faults.ts'
import { versionFaults } from './version-faults.ts'
import { workerFaults } from './worker-faults.ts'

const faults = {
  ...workerFaults,
  ...serverFaults,
  ...versionFaults,
  ...subscriptionFaults,
  ...appendFaults,
  ...brokerFaults,
}

export type FaultName = keyof typeof faults
export type FaultWeights = Weights<FaultName>

/** How often each fault is chosen. */
export const usualFaults: FaultWeights = {
  'worker killed': 4,
  'worker stopped': 4,
  'mode switched': 5,
  'backends terminated': 4,
  'server restarted at once': 1,
  'server restarted in good order': 1,
  'replication stalled': 3,
  'slot dropped': 3,
  'slot made again': 3,
  'slot invalidated': 2,
  'ledger commits at risk': 3,
  'version changed': 6,
  'subscription removed': 1,
  'inline switched': 7,
  'partitions changed': 4,
  'parked retried': 5,
  'reactor added': 1,
  'appender killed': 3,
  'broker away': 2,
}

/** One server has these, so that none begins while another of them is under way. */
const ofTheServer: ReadonlySet<FaultName> = new Set<FaultName>(
  (Object.keys(serverFaults) as (keyof typeof serverFaults)[]).filter(
    (name) => name !== 'ledger commits at risk',
  ),
)

export interface ScheduleOptions {
  readonly context: Omit<FaultContext, 'random'>
  readonly random: Random
  readonly settings: {
    readonly faults: FaultWeights
    /** Between the beginnings of two faults. */
    readonly faultPauseMs: { readonly min: number; readonly max: number }
  }
  /** How far the log has come. */
  readonly position: () => bigint
  /** Faults that happened. */
  readonly tally: Tally
}

/**
 * A fault waits so long at most until the log has moved since the one before: on a machine that is slow to
 * recover from one, it would be in pieces all the time.
 */
const mostPatienceMs = 5_000

/**
 * Lets faults happen, several at once, until aborted; returns when the last one is over. Names, pauses
 * and what each fault draws follow from the seed; what they meet does not.
 */
export async function runSchedule(options: ScheduleOptions, signal: AbortSignal): Promise<void> {
  const { context, random, settings, position, tally } = options
  const { min, max } = settings.faultPauseMs
  const running = new Map<FaultName, Promise<void>>()
  const isBusy = (name: FaultName) =>
    running.has(name) ||
    (ofTheServer.has(name) && running.keys().some((one) => ofTheServer.has(one)))
  let before = position()
  while (await pause(random.between(min, max), signal)) {
    const patience = performance.now() + mostPatienceMs
    while (position() === before && performance.now() < patience && (await pause(50, signal)));
    before = position()
    const name = pickWeighted(random, settings.faults)
    const own = { ...context, random: seededRandom(seedOf(random)) }
    if (isBusy(name)) continue
    const happening = happen(faults[name], own).then((happened) => {
      running.delete(name)
      if (happened) tally.add(name)
    })
    running.set(name, happening)
  }
  await Promise.all(running.values())
}

/** The server may be away: then this fault has not happened. One that breaks the server is a defect. */
async function happen(fault: Fault, context: FaultContext): Promise<boolean> {
  try {
    return await fault(context)
  } catch (error) {
    const isServers = error instanceof Error && /did not end|was not ready/.test(error.message)
    if (isServers) context.faults.add('stuck', error.message)
    return false
  }
}
