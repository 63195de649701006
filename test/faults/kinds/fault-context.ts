import type { Random } from '../../support/random.ts'
import type { Broker } from '../broker.ts'
import type { FailpointWeights } from '../draw-rule.ts'
import type { FaultList } from '../oracle/fault-list.ts'
import type { FaultServer } from '../server.ts'
import type { Tally } from '../tally.ts'
import type { Workers } from '../workers.ts'
import type { Journal } from '../writers/journal.ts'
import type { AddedReactors } from './added-reactors.ts'
import type { Calm } from './calm.ts'

/** What a fault can reach. */
export interface FaultContext {
  readonly server: FaultServer
  readonly workers: Workers
  /** Where relays publish to, if anything is published. */
  readonly broker: Broker | undefined
  /** Of this fault alone. */
  readonly random: Random
  readonly faults: FaultList
  readonly failpoints: Tally
  /** What became of changes of subscriptions. */
  readonly changes: Tally
  /** How often processes of faults hurt themselves, and where. */
  readonly weights: FailpointWeights
  readonly journal: Journal
  readonly calm: Calm
  readonly reactors: AddedReactors
  /** Aborted when the faults are to come to an end: what a fault has stopped it lets go then. */
  readonly signal: AbortSignal
}

/**
 * Does harm, and undoes it after a while where that has to be.
 *
 * @returns false when there was nothing to harm.
 */
export type Fault = (context: FaultContext) => Promise<boolean>
