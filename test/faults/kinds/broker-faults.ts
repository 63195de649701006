import { pause } from '../../../src/db/wait.ts'
import type { Fault } from './fault-context.ts'

/** Faults of the broker that relays publish to. */
export const brokerFaults = {
  /** Nobody is let in, and who is in is thrown out. */
  'broker away': async ({ broker, random, signal }) => {
    if (broker === undefined) return false
    broker.isAway = true
    await pause(random.between(200, 4_000), signal)
    broker.isAway = false
    return true
  },
} as const satisfies Record<string, Fault>
